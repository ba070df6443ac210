"""Where files lie: a path on a drive, or the URL of anything that fsspec opens, such as `s3://bucket/a.jpg`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from kdcli.errors import UsageError

if TYPE_CHECKING:
    from upath import UPath

Place: TypeAlias = "Path | UPath"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def without_file_scheme(word: str) -> str:
    """A word of the command line without `file://`, which adds nothing to a path."""
    return word.removeprefix("file://")


def is_url(word: str) -> bool:
    """Whether a word of the command line is the URL of something elsewhere; a drive's letter makes none."""
    return _URL.match(without_file_scheme(word)) is not None


def to_place(word: str) -> Place:
    """The place that a word of the command line names.

    Raises:
        UsageError: it is a URL that no installed package can open.
    """
    if not is_url(word):
        return Path(without_file_scheme(word))
    try:
        from upath import UPath
    except ImportError:
        raise UsageError(f"{word} is a URL: pip install 'kdcli[ray]' for what opens it") from None
    try:
        place = UPath(word)
        _ = place.fs  # asks for its package
    except ImportError as error:
        raise UsageError(f"{word} cannot be opened: {_package(word)} (fsspec: {error})") from None
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{word} cannot be opened: {reason}") from error
    return place


def _package(word: str) -> str:
    """How to get what opens a URL, by its protocol."""
    protocol = word.partition("://")[0].lower()
    packages = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
    packages |= {"http": "aiohttp", "https": "aiohttp", "sftp": "paramiko", "ssh": "paramiko"}
    package = packages.get(protocol)
    return f"pip install {package}" if package else f"the package for {protocol}:// is missing"


def is_folder(place: Place) -> bool:
    """Whether a folder is there.

    Raises:
        KdError: what is behind a URL refused.
    """
    if isinstance(place, Path):
        return os.path.isdir(place)
    from kdcli.files import remote

    return remote.is_folder(place)


def existing(places: Iterable[Place]) -> set[Place]:
    """Those of `places` that exist; a folder behind a URL is listed once, however many lie in it.

    Raises:
        KdError: a folder behind a URL cannot be listed.
    """
    there: set[Place] = set()
    names: dict[Place, set[str]] = {}
    for place in places:
        if isinstance(place, Path):
            if os.path.exists(place):
                there.add(place)
            continue
        from kdcli.files import remote

        folder = place.parent
        if folder not in names:
            names[folder] = remote.names(folder)
        if place.name in names[folder]:
            there.add(place)
    return there
