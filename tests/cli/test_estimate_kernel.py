"""`kd estimate-kernel`, with a stand-in for the engine, and the drawing of kernels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdcli.cli import run
from kdcli.cli.console import draw_kernel
from tests.conftest import FakeEngine

PhotoFile = Callable[..., Path]


def test_the_kernel_is_drawn_on_stdout(
    engine: FakeEngine, photo_file: PhotoFile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["estimate-kernel", str(photo_file())]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == ["▀▀▀▀▀", "5 px wide, reblurring loss 0.25"]
    assert "kd: estimate 100%" in said.err


def test_save_psf_before_the_photo(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The photo is a .png too, and still no kernel."""
    photo = photo_file("trip.png")
    before = photo.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert run(["estimate-kernel", "--save-psf", "trip.png"]) == 0
    assert photo.read_bytes() == before
    assert (tmp_path / "trip.psf.png").is_file()


def test_json_is_one_object_and_no_drawing(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "k.npy"
    photo = photo_file()
    assert run(["estimate-kernel", str(photo), "--json", "--save-psf", str(saved), "--preset", "fast"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["input"], facts["psf"], facts["preset"]) == (str(photo), str(saved), "fast")
    assert (facts["kernel_width"], facts["reblur_loss"], facts["patches"]) == (5, 0.25, 1)
    np.testing.assert_allclose(np.load(saved)[32, 30:35], 0.2)


def test_a_flat_photo_has_no_kernel_to_draw(
    engine: FakeEngine, photo_file: PhotoFile, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.changed = False
    engine.warnings.append("no edges to estimate from")
    assert run(["estimate-kernel", str(photo_file())]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "kd: warning: no edges" in said.err


def test_a_flat_photo_has_no_grid_to_draw(
    engine: FakeEngine, photo_file: PhotoFile, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.changed = False
    assert run(["estimate-kernel", str(photo_file()), "--grid", "2x3"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "kd: warning: the photo has no edges" in said.err


def test_notes_on_the_photo_are_told(
    engine: FakeEngine, photo_file: PhotoFile, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = photo_file("trip.tif", save_all=True, append_images=[Image.new("RGB", (36, 24))])
    engine.warnings.append("much noise")
    told = ["trip.tif holds more than one picture: only the first is taken", "much noise"]
    assert run(["estimate-kernel", str(photo), "--json"]) == 0
    said = capsys.readouterr()
    assert [line for line in said.err.splitlines() if "warning" in line] == [
        f"kd: warning: {note}" for note in told
    ]
    assert json.loads(said.out)["warnings"] == told


def test_a_grid_is_drawn_as_a_map_over_the_photo(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, saved = photo_file(), tmp_path / "map.png"
    assert run(["estimate-kernel", str(photo), "--grid", "2x3", "--save-psf", str(saved)]) == 0
    with Image.open(saved) as picture, Image.open(photo) as before:
        assert picture.size == before.size
    assert capsys.readouterr().out.splitlines()[-1] == "the middle one of 2x3 kernels, agreement 0.50"


def test_a_grid_in_json_and_for_programs(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "k.npy"
    assert (
        run(["estimate-kernel", str(photo_file()), "--grid", "2x3", "--save-psf", str(saved), "--json"]) == 0
    )
    facts = json.loads(capsys.readouterr().out)
    assert (facts["grid"], facts["agreement"]) == ([2, 3], 0.5)
    assert np.load(saved).shape == (2, 3, 64, 64)


@pytest.mark.parametrize("grid", ["5", "0x3", "axb", "30x30", "-1x2"])
def test_what_is_no_grid_is_refused(
    engine: FakeEngine, photo_file: PhotoFile, capsys: pytest.CaptureFixture[str], grid: str
) -> None:
    assert run(["estimate-kernel", str(photo_file()), f"--grid={grid}"]) == 2
    assert f"--grid {grid}: use rows x columns" in capsys.readouterr().err


def test_quiet_says_nothing(
    engine: FakeEngine, photo_file: PhotoFile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["estimate-kernel", str(photo_file()), "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_drawing_is_cropped_and_has_two_pixels_a_character() -> None:
    kernel = np.zeros((64, 64), np.float32)
    kernel[10, 20] = kernel[11, 21] = kernel[12, 22] = 1 / 3
    assert draw_kernel(kernel, colour=False).plain == "▀▄ \n  ▀"


def test_the_drawing_in_colour_has_a_grey_for_each_pixel() -> None:
    kernel = np.zeros((64, 64), np.float32)
    kernel[10, 20], kernel[11, 20] = 0.8, 0.2
    text = draw_kernel(kernel, colour=True)
    assert text.plain == "▀"
    assert str(text.spans[0].style) == "rgb(255,255,255) on rgb(128,128,128)"


def test_an_empty_kernel_can_be_drawn() -> None:
    assert draw_kernel(np.zeros((64, 64), np.float32), colour=False).plain == "(empty)"
