"""Pictures of before, after and kernel."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from kdcli.errors import UsageError
from kdcli.files.comparison import LONGEST, side_by_side, write_comparison
from kdcli.files.psf import kernel_picture
from tests.conftest import pattern

KERNEL = np.eye(64, dtype=np.float32) / 64


def compare(tmp_path: Path, before: np.ndarray, after: np.ndarray, **settings: object) -> Image.Image:
    path = tmp_path / "cmp.png"
    write_comparison(path, before, after, KERNEL, overwrite=True, **settings)  # type: ignore[arg-type]
    with Image.open(path) as image:
        image.load()
    return image


def panel(image: Image.Image, left: int, top: int, width: int, height: int) -> np.ndarray:
    return np.asarray(image.crop((left, top, left + width, top + height)))


def test_panels_stand_side_by_side_below_their_names() -> None:
    panels = [("one", Image.new("RGB", (90, 30), "red")), ("two", Image.new("RGB", (80, 50), "blue"))]
    canvas = side_by_side(panels)
    assert canvas.size == (90 + 80 + 3 * 8, 50 + 15 + 3 * 8)
    top = canvas.height - 50 - 8
    assert (panel(canvas, 8, top, 90, 30) == (255, 0, 0)).all()
    assert (panel(canvas, 8 + 90 + 8, top, 80, 50) == (0, 0, 255)).all()
    for left in (8, 106):
        name = panel(canvas, left, 0, 80, top)
        assert len(np.unique(name)) > 2  # something is written there, in grey
        assert (name[..., 0] == name[..., 2]).all()


def test_a_name_longer_than_its_panel_has_room() -> None:
    wide, narrow = (side_by_side([(name, Image.new("RGB", (10, 10)))]) for name in ("a long name", "i"))
    assert narrow.width == 10 + 2 * 8
    assert wide.width > 60


def test_grey_photos_and_their_kernel(tmp_path: Path) -> None:
    grey = np.tile(np.linspace(0, 1, 300), (200, 1))
    image = compare(tmp_path, grey, 1 - grey)
    top = image.height - 200 - 8
    expected = np.rint(255 * grey).astype(np.uint8)
    np.testing.assert_array_equal(panel(image, 8, top, 300, 200)[..., 1], expected)
    kernel = panel(image, 8 + 2 * 308, top, 192, 192)  # as large as the photos allow
    np.testing.assert_array_equal(kernel[::3, ::3, 0], kernel_picture(KERNEL))


def test_large_photos_are_scaled_down(tmp_path: Path) -> None:
    photo = np.full((100, 2 * LONGEST, 3), 0.5, np.float32)
    image = compare(tmp_path, photo, photo)
    assert image.width == 2 * LONGEST + 64 + 4 * 8
    assert image.height == 50 + 15 + 3 * 8 + 14  # the kernel is 64 high


def test_the_colour_profile_stays_where_it_fits(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = pattern() / 255
    assert compare(tmp_path, photo, photo, icc=profile).info["icc_profile"] == profile
    grey = profile[:16] + b"GRAY" + profile[20:]
    assert "icc_profile" not in compare(tmp_path, photo, photo, icc=grey).info


def test_other_formats_and_none(tmp_path: Path) -> None:
    photo = pattern() / 255
    write_comparison(tmp_path / "cmp.JPG", photo, photo, KERNEL)
    assert Image.open(io.BytesIO((tmp_path / "cmp.JPG").read_bytes())).format == "JPEG"
    with pytest.raises(UsageError, match="exists already"):
        write_comparison(tmp_path / "cmp.JPG", photo, photo, KERNEL)
    with pytest.raises(UsageError, match="names no format"):
        write_comparison(tmp_path / "cmp.gif", photo, photo, KERNEL)


def test_a_kernels_faint_ends_are_lifted_into_sight() -> None:
    kernel = np.array([[0.64, 0.16], [0.04, 0.0]])
    np.testing.assert_array_equal(kernel_picture(kernel), [[255, 128], [64, 0]])
    np.testing.assert_array_equal(kernel_picture(np.zeros((3, 3))), np.zeros((3, 3)))
