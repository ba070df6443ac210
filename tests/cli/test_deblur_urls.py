"""`kd deblur` on photos behind URLs, with a stand-in for the engine."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdcli.cli import run
from tests.conftest import FakeEngine, pattern

fsspec = pytest.importorskip("fsspec", reason="needs pip install 'kdcli[ray]'")
pytest.importorskip("upath", reason="needs pip install 'kdcli[ray]'")


@pytest.fixture(autouse=True)
def memory() -> Iterator[dict[str, bytes]]:
    """Two photos in shots, one of them deeper, and a file that is none; gives all files by their paths."""
    filesystem = fsspec.filesystem("memory")
    for name in ("a.jpg", "day/b.png"):
        file = io.BytesIO()
        Image.fromarray(pattern()).save(file, "JPEG" if name.endswith("jpg") else "PNG")
        filesystem.pipe_file(f"/shots/{name}", file.getvalue())
    filesystem.pipe_file("/shots/bad.jpg", b"Dear photo, ...")

    class Files(dict):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[str]:
            return iter(sorted(filesystem.find("/")))

        def __getitem__(self, path: str) -> bytes:
            return filesystem.cat_file(path)  # type: ignore[no-any-return]

    yield Files()
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


def test_a_folder_to_a_folder(
    engine: FakeEngine, memory: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "deblur",
        "memory://shots",
        "-r",
        "-o",
        "memory://out",
        "--json",
        "-q",
        "--save-psf",
        "--compare",
    ]
    assert run(words) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["input"], row["output"], row["status"]) for row in rows] == [
        ("memory://shots/a.jpg", "memory://out/a.jpg", "done"),
        ("memory://shots/bad.jpg", "memory://out/bad.jpg", "failed"),
        ("memory://shots/day/b.png", "memory://out/day/b.png", "done"),
    ]
    assert rows[0]["psf"] == "memory://out/a.psf.png"
    assert [path for path in memory if path.startswith("/out")] == [
        *(f"/out/a{what}" for what in (".compare.png", ".jpg", ".psf.png")),
        *(f"/out/day/b{what}" for what in (".compare.png", ".png", ".psf.png")),
    ]
    with Image.open(io.BytesIO(memory["/out/day/b.png"])) as image:
        np.testing.assert_array_equal(np.asarray(image), 255 - pattern())
    assert run(["deblur", "memory://shots", "-o", "memory://out", "--save-psf"]) == 2
    assert "exist already" in capsys.readouterr().err
    assert run(["deblur", "memory://shots", "-r", "-o", "memory://out", "--skip-existing"]) == 1
    assert "0 of 3 photos written, 2 there already, 1 failed" in capsys.readouterr().err


def test_one_photo_between_a_url_and_a_path(
    engine: FakeEngine, memory: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["deblur", "memory://shots/a.jpg", "-o", f"file://{tmp_path}/a.png"]) == 0
    assert run(["deblur", str(tmp_path / "a.png"), "-o", "memory://new/a.png"]) == 0
    assert run(["deblur", "memory://shots/day/b.png"]) == 0
    assert (tmp_path / "a.png").exists()
    assert {"/new/a.png", "/shots/day/b.deblurred.png"} <= set(memory)
    capsys.readouterr()
    assert run(["deblur", "memory://shots/none.jpg", "-o", "x.png"]) == 2
    assert capsys.readouterr().err.startswith("kd: error: memory://shots/none.jpg does not exist")


def test_workers_cannot_see_the_memory_of_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deblur", "memory://shots", "-o", "memory://out", "--engine", "ray"]) == 2
    assert "lies in the memory of this process" in capsys.readouterr().err
