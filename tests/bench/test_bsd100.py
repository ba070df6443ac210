"""BSD100 from a folder and from a stand-in for the Hub; archives that must not be trusted."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdcli.bench import synth
from kdcli.bench.datasets import hub as fetching
from kdcli.bench.datasets import open_dataset
from kdcli.bench.datasets.bsd100 import REVISION
from kdcli.bench.datasets.hub import unpack_photos
from kdcli.errors import KdError
from tests.hub import Hub


def png(seed: int) -> bytes:
    """A photo (264, 260, 3) made of integers alone, so that it is the same everywhere."""
    y, x = np.mgrid[:264, :260]
    planes = [(x * (seed + 3) + y * y // (c + 5) + 7 * c * (x // 16) * (y // 16)) % 256 for c in range(3)]
    file = io.BytesIO()
    Image.fromarray(np.stack(planes, -1).astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()


Member = tuple[str, bytes] | tarfile.TarInfo


def pack(members: list[Member]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return file.getvalue()


@pytest.fixture(scope="session")
def photos_packed() -> bytes:
    """100 photos as the Hub's archive has them, and what else archives hold."""
    folder = tarfile.TarInfo("BSD100_HR")
    folder.type = tarfile.DIRTYPE
    extra: list[Member] = [folder, ("BSD100_HR/._0.png", b"Finder"), ("BSD100_HR/README", b"read me")]
    return pack(extra + [(f"BSD100_HR/{n}.png", png(n)) for n in range(100)])


@pytest.fixture
def unpacked(photos_packed: bytes, tmp_path: Path) -> Path:
    (tmp_path / "a.tar.gz").write_bytes(photos_packed)
    unpack_photos(tmp_path / "a.tar.gz", tmp_path / "BSD100_HR")
    return tmp_path


CHECKSUM = "1d0d4bfa6fcf173c490de54b09b74b58e15abe4c5413bf9f002162f3cab69e45"


def test_the_same_pairs_on_every_machine(unpacked: Path) -> None:
    dataset = open_dataset("bsd100", data_dir=unpacked)
    assert (len(dataset), dataset.name, dataset.names[:3]) == (100, "bsd100", ("0.png", "1.png", "10.png"))
    digest = hashlib.sha256()
    for index in range(0, 100, 9):
        pair = dataset[index]
        for image in (pair.sharp, pair.blurred):
            assert image.shape == (256, 256, 3)
            digest.update(np.rint(image * 255).astype(np.uint8).tobytes())
    assert digest.hexdigest() == CHECKSUM


def test_a_ready_made_set_comes_first(unpacked: Path, photos: Path) -> None:
    made = unpacked / "bsd100_motion"
    synth.synthesise(photos, made, count=2, kernels="motion", noise=0.0, jpeg=None, seed=0)
    dataset = open_dataset("bsd100", data_dir=unpacked)
    assert (len(dataset), dataset.name, dataset.path) == (2, "bsd100", made)


def test_photos_that_are_not_a_hundred(unpacked: Path) -> None:
    (unpacked / "BSD100_HR" / "7.png").unlink()
    with pytest.raises(KdError, match="BSD100_HR holds 99 photos: bsd100 has 100"):
        open_dataset("bsd100", data_dir=unpacked)


def info(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("../up.png", b"x")], "leads elsewhere"),
        ([("/etc/abs.png", b"x")], "leads elsewhere"),
        ([("..\\up.png", b"x")], "leads elsewhere"),
        ([info("a.png", tarfile.SYMTYPE, "/etc/passwd")], "is a link or a device"),
        ([info("a.png", tarfile.LNKTYPE, "b.png")], "is a link or a device"),
        ([info("a.png", tarfile.CHRTYPE)], "is a link or a device"),
        ([info("a.png", tarfile.FIFOTYPE)], "is a link or a device"),
        ([("a/1.png", b"x"), ("b/1.png", b"x")], r"holds 1\.png twice"),
    ],
)
def test_archives_that_reach_outside_are_refused(tmp_path: Path, members: list[Member], reason: str) -> None:
    (tmp_path / "a.tar.gz").write_bytes(pack(members))
    with pytest.raises(KdError, match=reason):
        unpack_photos(tmp_path / "a.tar.gz", tmp_path / "in" / "photos")
    assert {p.name for p in tmp_path.rglob("*")} <= {"a.tar.gz", "in", "photos", "1.png"}


def test_archives_that_swell_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 100_000)
    for name in ("a.png", "left-out.txt"):
        (tmp_path / "a.tar.gz").write_bytes(pack([(name, bytes(200_000))]))
        with pytest.raises(KdError, match="unpacks to more than"):
            unpack_photos(tmp_path / "a.tar.gz", tmp_path / name)


@pytest.mark.parametrize("change", [lambda d: d[: len(d) // 2], lambda d: b"no archive", lambda d: b""])
def test_damaged_archives_are_refused(
    photos_packed: bytes, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(change(photos_packed))
    with pytest.raises(KdError, match="is damaged"):
        unpack_photos(tmp_path / "a.tar.gz", tmp_path / "photos")


OPEN = """
from kdcli.bench.datasets import open_dataset
from kdcli.errors import KdError
try:
    dataset = open_dataset("bsd100")
    print(len(dataset), dataset[99].name, *dataset[99].blurred.shape)
except KdError as error:
    print("refused:", error)
"""

REPOSITORY = "datasets/eugenesiow/BSD100"


def opened(hub: Hub, **environment: str) -> str:
    """What `OPEN` prints in a process whose Hub is the stand-in."""
    process = hub.start(OPEN, **environment)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return out


def test_the_hub_is_asked_once(hub: Hub, photos_packed: bytes) -> None:
    hub.commit(REPOSITORY, {"data/BSD100_HR.tar.gz": photos_packed}, REVISION)
    assert opened(hub) == "100 99.png 256 256 3\n"
    asked = list(hub.asked)
    assert all(REVISION in line or "/large/" in line for line in asked)
    assert opened(hub) == "100 99.png 256 256 3\n"
    assert hub.asked == asked
    assert not list(hub.home.rglob("*.part"))


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ("absent", "cannot be fetched from eugenesiow/BSD100"),
        ("silent", "cannot be fetched from eugenesiow/BSD100"),
        ("down", "cannot be fetched from eugenesiow/BSD100"),
        ("breaks off", "cannot be fetched from eugenesiow/BSD100"),
        ("lies", "has not the SHA-256 that is declared"),
        ("nonsense", "is damaged"),
    ],
)
def test_each_failure_is_one_clear_line(hub: Hub, manner: Any, said: str) -> None:
    environment = {}
    if manner == "silent":
        environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    elif manner != "absent":
        hub.commit(REPOSITORY, {"data/BSD100_HR.tar.gz": b"no archive"}, REVISION)
        hub.manner = "well" if manner == "nonsense" else manner
    answer = opened(hub, **environment)
    assert answer.startswith("refused: ")
    assert said in answer
    assert len(answer.splitlines()) == 1
    assert not list(hub.home.rglob("photos"))
