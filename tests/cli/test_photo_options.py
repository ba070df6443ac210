"""`--quality`, `--max-pixels`, and what is said about a photo that does not come through whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from kdcli.cli import run
from kdcli.files.jpeg_quality import jpeg_quality
from tests.conftest import FakeEngine, pattern

PhotoFile = Callable[..., Path]


def quality_of(path: Path) -> int:
    with Image.open(path) as image:
        return jpeg_quality(image.quantization[0])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "words", "quality"),
    [
        ({"name": "a.jpg", "quality": 71}, "", 71),
        ({"name": "a.jpg", "quality": 71}, "--quality 30", 30),
        ({"name": "a.png"}, "", 95),
        ({"name": "a.png"}, "--quality 100", 100),
    ],
)
def test_quality_is_the_photos_own_unless_told(
    engine: FakeEngine,
    photo_file: PhotoFile,
    tmp_path: Path,
    source: dict[str, object],
    words: str,
    quality: int,
) -> None:
    out = tmp_path / "out.jpg"
    assert run(["deblur", str(photo_file(**source)), "-o", str(out), *words.split()]) == 0
    assert quality_of(out) == quality


def test_quality_reaches_every_photo_of_a_folder(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path
) -> None:
    photos = [str(photo_file(f"{name}.jpg", quality=90)) for name in "ab"]
    assert run(["deblur", *photos, "-o", f"{tmp_path}/out/", "--quality", "44"]) == 0
    assert [quality_of(tmp_path / "out" / f"{name}.jpg") for name in "ab"] == [44, 44]


@pytest.mark.parametrize(
    "words",
    [
        "--quality 0",
        "--quality 101",
        "--quality best",
        "--max-pixels 0",
        "--max-pixels -1",
        "--max-pixels nan",
        "--max-pixels inf",
        "--max-pixels many",
    ],
)
def test_values_out_of_range_are_wrong_usage(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert run(["deblur", str(photo_file()), "-o", str(tmp_path / "out.png"), *words.split()]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words.split()[0] in said
    assert engine.calls == []


@pytest.mark.parametrize("command", ["deblur", "estimate-kernel"])
def test_max_pixels_is_in_millions(
    engine: FakeEngine, photo_file: PhotoFile, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(photo_file("photo.png", pattern(100, 200)))
    assert run([command, photo, "--max-pixels", "0.0199"]) == 1
    said = capsys.readouterr().err
    assert said == (
        f"kd: error: {photo}: 200x100 pixels, more than the 0.0199 million that kd opens: "
        "scale it down or raise --max-pixels\n"
    )
    assert engine.calls == []
    assert run([command, photo, "--max-pixels", "0.02"]) == 0


def test_what_was_converted_is_a_warning(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(pattern()).quantize(8).save(tmp_path / "logo.png")
    assert run(["deblur", str(tmp_path / "logo.png"), "-o", str(tmp_path / "out.jpg"), "--json"]) == 0
    said = capsys.readouterr()
    note = "logo.png has a palette: written in full colour"
    assert f"kd: warning: {note}\n" in said.err
    assert json.loads(said.out)["warnings"] == [note]


@pytest.mark.parametrize("target", ["out.webp", "-"])
def test_a_photo_too_wide_for_its_format_is_refused_before_any_work(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    photo = photo_file("wide.png", pattern(16, 17_000))
    where = str(tmp_path / target) if target != "-" else target
    assert run(["deblur", str(photo), "-o", where, *(["--format", "webp"] if target == "-" else [])]) == 1
    said = capsys.readouterr()
    assert "17000x16 pixels do not fit WEBP, at most 16383 a side: try .png" in said.err
    assert said.out == ""
    assert engine.calls == []
    assert list(tmp_path.iterdir()) == [photo]
