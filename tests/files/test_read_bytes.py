"""Only files are read, and no more than a photo can have."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.files.photo import read_photo
from kdcli.files.psf import read_psf
from kdcli.files.read_bytes import largest_file, read_bytes, read_stream
from tests.conftest import pattern
from tests.files.seeds import saved


def test_a_file_is_read_through_a_link_to_a_link(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(saved(pattern(), "PNG"))
    (tmp_path / "one").symlink_to("photo.png")
    (tmp_path / "two").symlink_to("one")
    assert read_photo(tmp_path / "two").pixels.shape == (24, 36, 3)


@pytest.mark.parametrize("reader", [read_photo, read_psf])
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to a device"])
def test_what_might_never_end_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: object, kind: str
) -> None:
    """Nobody writes to the pipe, and the device has zeros for ever."""
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    path = Path("k.npy")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(KdError) as caught:
        reader(path)  # type: ignore[operator]
    assert str(caught.value).startswith(
        ("cannot read k.npy: No such device", f"{path} is no file but a pipe")
    )


def test_a_file_larger_than_any_photo_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film.jpg"
    with open(path, "wb") as file:
        file.truncate(largest_file(1_000_000) + 1)
    with pytest.raises(KdError, match=r"film\.jpg: 94 MiB or more, and what kd reads here has at most 94"):
        read_photo(path, 1_000_000)


def test_a_pipe_without_an_end_is_left(tmp_path: Path) -> None:
    class Zeros(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return bytes(size)

    zeros = Zeros()
    with pytest.raises(KdError, match="at most 40"):
        read_stream(zeros, 40 << 20)  # type: ignore[arg-type]
    assert zeros.given < 80 << 20
    assert read_stream(io.BytesIO(b"x" * (40 << 20)), 40 << 20) == b"x" * (40 << 20)


def test_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(KdError):
        read_bytes(tmp_path, 100)
    with pytest.raises(UsageError, match="is a folder"):
        read_photo(tmp_path)


def test_the_largest_photo_fits_its_file() -> None:
    """Four channels of 64 bits."""
    assert largest_file(10**6) > 4 * 8 * 10**6
