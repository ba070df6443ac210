"""BSD100 from a folder and from a stand-in for the Hub; archives that must not be trusted."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdcli.bench import synth
from kdcli.bench.datasets import hub, open_dataset
from kdcli.bench.datasets.bsd100 import REVISION
from kdcli.bench.datasets.hub import unpack_photos
from kdcli.errors import KdError

ROUTE = f"/datasets/eugenesiow/BSD100/resolve/{REVISION}/data/BSD100_HR.tar.gz"


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
    monkeypatch.setattr(hub, "MAX_BYTES", 100_000)
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


class Hub(BaseHTTPRequestHandler):
    """Speaks the Hub's resolve route for one file, well or badly."""

    content = b""
    manner = "well"
    asked = 0

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        Hub.asked += 1
        if self.manner == "absent" or self.path != ROUTE:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        if body:
            whole = len(self.content)
            self.wfile.write(self.content[: whole // 2 if self.manner == "breaks off" else whole])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Hub.manner, Hub.asked = "well", 0
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


OPEN = """
import time
time.sleep = lambda seconds: None  # the Hub's client waits ever longer before it tries again
from kdcli.bench.datasets import open_dataset
from kdcli.errors import KdError
try:
    dataset = open_dataset("bsd100")
    print(len(dataset), dataset[99].name, *dataset[99].blurred.shape)
except KdError as error:
    print("refused:", error)
"""


def run(endpoint: str, home: Path) -> str:
    """What `OPEN` prints; the Hub's address is read when its library is imported."""
    gone = {"KD_DATA", "HF_HUB_CACHE", "HF_ASSETS_CACHE", "HF_TOKEN", "http_proxy", "HTTP_PROXY"}
    environment = {key: value for key, value in os.environ.items() if key not in gone}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "no_proxy": "*"}
    call = [sys.executable, "-c", OPEN]
    done = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_hub_is_asked_once(server: str, tmp_path: Path, photos_packed: bytes) -> None:
    Hub.content = photos_packed
    assert run(server, tmp_path) == "100 99.png 256 256 3\n"
    asked = Hub.asked
    assert asked > 0
    assert run(server, tmp_path) == "100 99.png 256 256 3\n"
    assert Hub.asked == asked
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("manner", ["absent", "silent", "breaks off", "nonsense"])
def test_each_failure_is_one_clear_line(server: str, tmp_path: Path, manner: str) -> None:
    Hub.manner, Hub.content = manner, b"no archive"
    said = run("http://127.0.0.1:9" if manner == "silent" else server, tmp_path)
    wanted = "is damaged" if manner == "nonsense" else "cannot be fetched from eugenesiow/BSD100 on the Hub"
    assert said.startswith("refused: ")
    assert wanted in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.rglob("photos"))
