"""Photos from the Hugging Face Hub: fetched, checked, unpacked without trust, and kept."""

from __future__ import annotations

import gzip
import io
import secrets
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from kdcli.errors import KdError
from kdcli.files.encode import SUFFIXES
from kdcli.weights.header import digest
from kdcli.weights.hub import declared_sha256, download, forget

MAX_BYTES = 300_000_000
"""The most that an archive may unpack to: BSD100 takes a tenth of it."""


def fetch_photos(repository: str, archive: str, revision: str) -> Path:
    """The folder of an archive's photos; the Hub is asked only for the first time.

    The archive is checked against the SHA-256 that the Hub declares for it at that commit.

    Args:
        repository: of data sets on the Hub.
        archive: path of a .tar.gz in it.
        revision: the commit.

    Raises:
        KdError: the archive cannot be had, cannot be trusted or cannot be unpacked.
    """
    from huggingface_hub import cached_assets_path

    try:
        shelf = cached_assets_path("kdcli", namespace=repository, subfolder=revision)
    except OSError as error:
        raise KdError(f"cannot write the Hub's cache ({error}): set HF_HOME to another folder") from error
    folder = shelf / "photos"
    if folder.is_dir():
        return folder
    file = download(repository, archive, revision, repo_type="dataset")
    if digest(file) != declared_sha256(repository, archive, revision, repo_type="dataset"):
        forget(file)
        raise KdError(
            f"{archive} of {repository} on the Hub has not the SHA-256 that is declared for it, and was "
            "thrown away unused: try again"
        )
    temporary = shelf / f".{secrets.token_hex(8)}.part"
    try:
        unpack_photos(file, temporary)
        if not folder.is_dir():  # another run may have been faster
            temporary.rename(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise KdError(f"cannot unpack {archive}: {reason}: check {shelf} and the free space") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def unpack_photos(archive: Path, folder: Path) -> None:
    """Unpack the photos of a .tar.gz, by their bare names, into a new folder.

    Files that are not named like photos are left out, and so are hidden ones.

    Raises:
        KdError: the archive is damaged or too large, or holds links or paths that lead elsewhere.
        OSError: the system refused to write.
    """
    folder.mkdir(parents=True)
    try:
        with gzip.open(archive) as packed, tarfile.open(fileobj=_Bounded(packed), mode="r|") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts or set("\\:") & set(member.name):
                    raise KdError(f"{archive} cannot be trusted: {member.name!r} leads elsewhere")
                if not (member.isfile() or member.isdir()):
                    raise KdError(f"{archive} cannot be trusted: {member.name!r} is a link or a device")
                if member.isdir() or path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                    continue
                source = tar.extractfile(member)
                assert source is not None  # it is a file
                with open(folder / path.name, "xb") as target:
                    shutil.copyfileobj(source, target)
    except FileExistsError as error:
        raise KdError(f"{archive} is damaged: it holds {Path(error.filename).name} twice") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise KdError(f"{archive} is damaged ({error}): take it away to fetch it again") from error


class _Bounded(io.RawIOBase):
    """A file that refuses to give more than ``MAX_BYTES``: a small archive can hold more than any disk."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile):
        self.file, self.left = file, MAX_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size if 0 <= size <= self.left else self.left + 1)
        self.left -= len(data)
        if self.left < 0:
            raise KdError(f"the archive unpacks to more than {MAX_BYTES // 10**6} MB: it cannot be trusted")
        return data
