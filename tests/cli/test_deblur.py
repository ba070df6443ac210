"""`kd deblur`, with a stand-in for the engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdcli.cli import run
from kdcli.files.photo import read_photo
from kdcli.files.psf import read_psf
from tests.conftest import FakeEngine, pattern

PhotoFile = Callable[..., Path]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_restored_photo_is_written(engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert run(["deblur", str(photo_file()), "-o", str(out)]) == 0
    np.testing.assert_array_equal(pixels(out), 255 - pattern())


def test_alpha_and_exif_survive(engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    photo = photo_file("photo.png", pattern(channels=4), exif=exif)
    assert run(["deblur", str(photo), "-o", str(tmp_path / "out.tif")]) == 0
    upright = np.rot90(pattern(channels=4), -1)
    np.testing.assert_array_equal(pixels(tmp_path / "out.tif")[..., 3], upright[..., 3])
    np.testing.assert_array_equal(pixels(tmp_path / "out.tif")[..., :3], 255 - upright[..., :3])
    assert read_photo(tmp_path / "out.tif").exif is not None


def test_without_output_it_lands_beside_the_photo(engine: FakeEngine, photo_file: PhotoFile) -> None:
    photo = photo_file("trip.JPG", format="JPEG")
    assert run(["deblur", str(photo)]) == 0
    assert photo.with_name("trip.deblurred.JPG").is_file()


def test_without_output_an_ending_that_cannot_be_written_becomes_png(
    engine: FakeEngine, photo_file: PhotoFile
) -> None:
    photo = photo_file("trip.jfif", format="JPEG")
    assert run(["deblur", str(photo)]) == 0
    with Image.open(photo.with_name("trip.deblurred.png")) as image:
        assert image.format == "PNG"


def test_options_reach_the_engine(engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path) -> None:
    given = "--preset best --steps 7 --guidance 0.5 --samples 3 --refine-steps 9 --seed 11 --device cpu"
    assert run(["deblur", str(photo_file()), "-o", str(tmp_path / "out.png"), *given.split()]) == 0
    assert engine.calls[0] == {"load": "cpu"}
    options = engine.calls[1]["options"]
    assert (options.preset, options.steps, options.guidance) == ("best", 7, 0.5)
    assert (options.samples, options.refine_steps, options.seed) == (3, 9, 11)


def test_a_known_kernel_reaches_the_engine(engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path) -> None:
    kernel = np.zeros((5, 5))
    kernel[2] = 1
    np.save(tmp_path / "k.npy", kernel)
    photo = str(photo_file())
    assert run(["deblur", photo, "-o", str(tmp_path / "out.png"), "--psf", str(tmp_path / "k.npy")]) == 0
    np.testing.assert_allclose(engine.calls[1]["kernel"][32, 30:35], 0.2)


def test_save_psf_bare_writes_to_the_current_folder(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert run(["deblur", "--save-psf", str(photo_file("trip.jpg")), "-o", "out.png"]) == 0
    assert sorted(file.name for file in here.iterdir()) == ["out.png", "trip.psf.png"]
    assert read_psf(here / "trip.psf.png")[32, 30:35] == pytest.approx(0.2, abs=1e-6)


def test_save_psf_with_a_value(engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path) -> None:
    saved = tmp_path / "k.npy"
    assert run(["deblur", str(photo_file()), "--save-psf", str(saved), "-o", str(tmp_path / "o.png")]) == 0
    assert np.load(saved).sum() == pytest.approx(1, abs=1e-6)


def test_json_is_one_object_on_stdout(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.warnings.append("much noise")
    engine.loss = float("nan")
    photo, out, psf = photo_file(), tmp_path / "out.jpg", tmp_path / "k.png"
    assert run(["deblur", str(photo), "-o", str(out), "--save-psf", str(psf), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["input"], facts["output"], facts["psf"]) == (str(photo), str(out), str(psf))
    assert facts["given_psf"] is None
    assert facts["kernel_width"] == 5
    assert facts["reblur_loss"] is None  # NaN is no JSON
    assert (facts["device"], facts["preset"], facts["weights"]) == ("cpu", "balanced", "fake-1")
    assert facts["warnings"] == ["much noise"]
    assert facts["seconds"]["estimate"] == 0.5
    assert facts["seconds"]["total"] > 0


def test_progress_and_warnings_are_plain_lines_on_stderr(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.warnings.append("much noise")
    assert run(["deblur", str(photo_file()), "-o", str(tmp_path / "out.png")]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[:3] == ["kd: estimate 0%", "kd: estimate 100%", "kd: warning: much noise"]
    assert lines[3].startswith(f"kd: {tmp_path / 'out.png'} written")
    assert len(lines) == 4


def test_quiet_says_nothing(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.warnings.append("much noise")
    assert run(["deblur", str(photo_file()), "-o", str(tmp_path / "out.png"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_flat_photo_is_written_unchanged_with_a_warning(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.changed = False
    engine.warnings.append("nothing to estimate a blur from")
    photo = photo_file("black.png", np.zeros((32, 32, 3), np.uint8))
    assert run(["deblur", str(photo), "-o", str(tmp_path / "out.png"), "--json"]) == 0
    said = capsys.readouterr()
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), 0)
    assert "warning: nothing to estimate" in said.err
    assert json.loads(said.out)["changed"] is False


def test_overwrite_replaces_an_output(engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path) -> None:
    out = photo_file("out.png", np.zeros((32, 32), np.uint8))
    assert run(["deblur", str(photo_file()), "-o", str(out), "--overwrite"]) == 0
    np.testing.assert_array_equal(pixels(out), 255 - pattern())


def test_a_failing_engine_leaves_no_output(
    engine: FakeEngine, photo_file: PhotoFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = photo_file()
    engine.failure = RuntimeError("surprise")
    assert (
        run(["deblur", str(photo), "-o", str(tmp_path / "out.png"), "--save-psf", str(tmp_path / "k.npy")])
        == 1
    )
    assert list(tmp_path.iterdir()) == [photo]
    assert "unexpected RuntimeError: surprise (KD_DEBUG=1" in capsys.readouterr().err
