"""LPIPS and FID: what they are asked, what becomes of their numbers, and every way they cannot be had.

The libraries and their weights are played by stand-ins, the weights' server by one on 127.0.0.1.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from kdcli.bench import perceptual
from kdcli.bench.bench import Bench
from kdcli.bench.perceptual import NAMES, Perceptual
from kdcli.cli import run
from kdcli.errors import KdError, UsageError

CPU = torch.device("cpu")
SHARP = np.full((8, 10, 3), 0.5, np.float32)
WEIGHTS = b"weights" * 1000
_PUBLISHED = dict(perceptual._WEIGHTS)


class Standing(torch.nn.Module):
    """What every measure of torchmetrics is: a module that is made with settings and can be reset."""

    made: dict[str, Any]

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        type(self).made = settings
        self.reset()

    def reset(self) -> None:
        self.seen: list[tuple[torch.Tensor, bool]] = []


class Lpips(Standing):
    """The mean difference."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        assert a.shape == b.shape == (1, 3, 8, 10)
        assert 0 <= float(a.min()) <= float(a.max()) <= 1
        assert not self.seen
        self.seen.append((a, True))
        return (a - b).abs().mean()


class Fid(Standing):
    """The difference of the mean levels."""

    def update(self, images: torch.Tensor, real: bool) -> None:
        assert images.dtype == torch.uint8
        assert images.shape == (1, 3, 8, 10)
        self.seen.append((images, real))

    def compute(self) -> torch.Tensor:
        levels = [
            torch.cat([i.float() for i, real in self.seen if real is side]).mean() for side in (False, True)
        ]
        return (levels[0] - levels[1]).abs()


def module(name: str, **content: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(content)
    return made


class Server:
    """Gives the weights, if well; 127.0.0.1:9 stands for no network."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.content = WEIGHTS
        self.declared = len(WEIGHTS)
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.asked.append(self.path)
                self.send_response(200 if served.content else 404)
                self.send_header("Content-Length", str(served.declared))
                self.end_headers()
                self.wfile.write(served.content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PyTorch's cache, with the weights of both measures in it; there is no network."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for name in NAMES:
        known = (f"http://127.0.0.1:9/{name}.pth", hashlib.sha256(WEIGHTS).hexdigest())
        monkeypatch.setitem(perceptual._WEIGHTS, name, known)
        (folder / f"{name}.pth").write_bytes(WEIGHTS)
    return folder


@pytest.fixture
def library(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins, installed."""
    for made in (
        module("torchvision"),
        module("torchmetrics"),
        module("torchmetrics.image"),
        module("torchmetrics.image.lpip", LearnedPerceptualImagePatchSimilarity=Lpips),
        module("torchmetrics.image.fid", FrechetInceptionDistance=Fid),
    ):
        monkeypatch.setitem(sys.modules, made.__name__, made)


def test_lpips_is_of_each_picture_and_fid_of_all(library: None) -> None:
    pairs = [(SHARP + 0.3, SHARP), (SHARP + 0.1, SHARP), (SHARP + 9, SHARP)]
    measure = Perceptual(("lpips", "fid"), CPU)
    each, of_set = measure(pairs)
    levels = np.array([204, 153, 255]) - 128.0  # 8-bit pictures: 0.5 is 128 of 255
    assert [scores["lpips"] for scores in each] == pytest.approx(levels / 255)
    assert of_set == pytest.approx({"fid": levels.mean()})
    again = measure(pairs[:2])[1]  # nothing is left of the first call
    assert again == pytest.approx({"fid": levels[:2].mean()})
    assert Lpips.made == {"net_type": "alex", "normalize": True}
    assert Fid.made == {"feature": 2048, "antialias": False}


def test_only_what_is_asked_for_is_loaded(library: None, cache: Path) -> None:
    (cache / "fid.pth").unlink()
    assert Perceptual(("lpips",), CPU)([(SHARP, SHARP)]) == ([{"lpips": 0.0}], {})
    nothing = Perceptual((), CPU)
    assert not nothing
    assert nothing([(SHARP, SHARP)]) == ([{}], {})


@pytest.mark.parametrize("count", [0, 1])
def test_fid_needs_two_pictures(library: None, count: int) -> None:
    assert Perceptual(("fid",), CPU)([(SHARP, SHARP)] * count) == ([{}] * count, {})


def test_an_unknown_measure_is_named() -> None:
    with pytest.raises(UsageError, match="--measure niqe: choose one of lpips, fid"):
        Perceptual(("niqe",), CPU)


@pytest.mark.parametrize("name", ["lpips", "fid"])
@pytest.mark.parametrize("missing", ["torchvision", "torchmetrics.image.fid", "torchmetrics.image.lpip"])
def test_libraries_that_are_not_installed(
    library: None, monkeypatch: pytest.MonkeyPatch, name: str, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # importing it fails
    with pytest.raises(
        UsageError, match=rf"--measure {name} needs .*pip install 'kdcli\[bench\]' \(.*{missing}"
    ):
        Perceptual((name,), CPU)


def test_a_torchvision_made_for_another_torch(library: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        """Importing the real one then ends with this error, which is no ImportError."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "torchvision":
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.delitem(sys.modules, "torchvision")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(KdError, match=r"needs the torchvision made for torch .*torchvision::nms"):
        Perceptual(("fid",), CPU)


def test_weights_are_pinned_by_the_names_that_their_makers_gave_them() -> None:
    for url, known in _PUBLISHED.values():
        assert len(known) == 64
        assert known.startswith(Path(url).stem.rpartition("-")[2])


def away(cache: Path, server: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the weights will be, which the server has and the cache has not."""
    file = cache / f"{name}.pth"
    file.unlink()
    monkeypatch.setitem(
        perceptual._WEIGHTS, name, (f"{server.url}/{file.name}", perceptual._WEIGHTS[name][1])
    )
    return file


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_fetched_once(
    library: None, cache: Path, server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = away(cache, server, name, monkeypatch)
    for _ in range(2):
        assert Perceptual((name,), CPU)
    assert server.asked == [f"/{name}.pth"]
    assert file.read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("content", "declared", "said"),
    [
        (WEIGHTS[::-1], len(WEIGHTS), "has not the SHA-256 that is known of it, and was thrown away unread"),
        (WEIGHTS[:-9], len(WEIGHTS), "thrown away unread|weights cannot be had"),
        (b"", 0, "weights cannot be had .*404.* put http://.*fid.pth into .*checkpoints"),
    ],
)
def test_other_weights_are_not_kept(
    library: None,
    cache: Path,
    server: Server,
    content: bytes,
    declared: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = away(cache, server, "fid", monkeypatch)
    server.content, server.declared = content, declared
    with pytest.raises(KdError, match=said):
        Perceptual(("fid",), CPU)
    assert not file.exists()
    assert [path.name for path in cache.iterdir()] == ["lpips.pth"]


@pytest.mark.parametrize(("name", "kind"), [("lpips", Lpips), ("fid", Fid)])
def test_a_file_of_unknown_content_is_never_read(
    library: None, cache: Path, name: str, kind: type[Standing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a pickle that runs code, put there by anyone."""
    monkeypatch.setattr(kind, "__init__", lambda *_, **__: pytest.fail("read"))
    (cache / f"{name}.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(
        KdError, match=rf"{name}\.pth has not the SHA-256 that is known of it, and was not read"
    ):
        Perceptual((name,), CPU)


def test_weights_that_cannot_be_had(library: None, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "lpips.pth").unlink()
    with pytest.raises(KdError, match=r"weights cannot be had .*put http://127\.0\.0\.1:9/lpips\.pth into"):
        Perceptual(("lpips",), CPU)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch.hub, "download_url_to_file", full)
    with pytest.raises(KdError, match=r"the disk is full: make room in .*checkpoints, or set TORCH_HOME"):
        Perceptual(("lpips",), CPU)


Runner = Callable[..., int]


@pytest.fixture
def bench(library: None, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """`kd bench` with stand-ins that bear pictures of any size."""
    monkeypatch.setattr(Lpips, "forward", lambda self, a, b: (a - b).abs().mean())
    monkeypatch.setattr(Fid, "update", lambda self, images, real: self.seen.append((images, real)))
    demo = ["bench", "--dataset", "demo", "--limit", "2", "--method", "identity", "--method", "wiener"]
    return lambda *more: run([*demo, "--quiet", *map(str, more)])


def test_they_reach_table_json_csv_report_and_compare(
    bench: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"r.{kind}" for kind in ("json", "csv", "html")]
    wanted = [f"--{option}={file}" for option, file in zip(("json", "csv", "report"), files, strict=True)]
    assert bench("--measure", "lpips", "--measure", "fid", *wanted) == 0
    assert sorted(path for path in tmp_path.iterdir() if path.is_file()) == sorted(files)
    table = capsys.readouterr().out
    assert "LPIPS" in table
    assert "FID" in table
    result = json.loads(files[0].read_text())
    for method in result["methods"]:
        assert method["mean"]["fid"] >= 0
        assert method["mean"]["lpips"] == pytest.approx(np.mean([i["lpips"] for i in method["images"]]))
        assert all("fid" not in image for image in method["images"])
    assert "lpips" in {difference["measure"] for difference in result["differences"]}
    rows = list(csv.DictReader(files[1].read_text().splitlines()))
    assert [float(row["fid"]) for row in rows[:2]] == [result["mean"]["fid"]] * 2
    page = files[2].read_text()
    assert '<th scope="col">FID</th>' in page
    assert 'data-measure="lpips"' in page
    assert 'data-measure="fid"' not in page  # no column of an image

    worse = tmp_path / "worse.json"
    result["methods"][0]["mean"]["fid"] += 3
    worse.write_text(json.dumps(result))
    assert run(["bench", "compare", str(files[0]), str(worse), "--fail-if-worse", "fid:4"]) == 0
    assert "FID" in capsys.readouterr().out
    assert run(["bench", "compare", str(files[0]), str(worse), "--fail-if-worse", "fid:2"]) == 1
    assert "identity: fid is worse by 3.00, more than 2" in capsys.readouterr().err
    assert run(["bench", "compare", str(worse), str(files[0]), "--fail-if-worse", "fid:0"]) == 0


def test_nothing_is_written_they_work_all_the_same(bench: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--measure", "fid") == 0
    assert "FID" in capsys.readouterr().out


def test_they_are_off_unless_asked_for(bench: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench() == 0
    shown = capsys.readouterr().out
    assert "FID" not in shown
    assert "LPIPS" not in shown


def test_a_failure_comes_before_anything_is_measured(
    bench: Runner, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Bench, "measure", lambda *_: pytest.fail("measured"))
    (cache / "fid.pth").unlink()
    assert bench("--measure", "fid") == 1
    error = capsys.readouterr().err
    assert error.startswith("kd: error: --measure fid: its weights cannot be had")
    assert error.count("\n") == 1
    assert bench("--measure", "niqe") == 2
