"""`--save-psf [FILE]`: whose word is the next one?"""

from __future__ import annotations

from pathlib import Path

import pytest

from kdcli.cli.save_psf import attach_value, psf_path
from kdcli.errors import UsageError

VALUED = {"-o", "--output", "--seed", "--save-psf"}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("in.jpg", "in.jpg"),
        ("in.jpg --save-psf", "in.jpg --save-psf="),
        ("in.jpg --save-psf k.npy", "in.jpg --save-psf=k.npy"),
        ("in.jpg --save-psf=k.npy", "in.jpg --save-psf=k.npy"),
        ("in.jpg --save-psf -o out.png", "in.jpg --save-psf= -o out.png"),
        ("in.jpg -o out.png --save-psf k.png", "in.jpg -o out.png --save-psf=k.png"),
        ("--save-psf k.png in.jpg", "--save-psf=k.png in.jpg"),
        ("--save-psf in.jpg", "--save-psf= in.jpg"),
        ("--save-psf in.png", "--save-psf= in.png"),
        ("--save-psf in.jpg -o out.png", "--save-psf= in.jpg -o out.png"),
        ("--save-psf in.png -o out.png", "--save-psf= in.png -o out.png"),
        ("-o out.png --seed 3 --save-psf in.png", "-o out.png --seed 3 --save-psf= in.png"),
        ("--save-psf --seed 3 in.jpg", "--save-psf= --seed 3 in.jpg"),
        ("--save-psf k.png -- -in.jpg", "--save-psf=k.png -- -in.jpg"),
        ("-oout.png --save-psf in.png", "-oout.png --save-psf= in.png"),
        ("--save-psf", "--save-psf="),
    ],
)
def test_the_next_word_is_the_value_unless_it_must_be_the_photo(typed: str, meant: str) -> None:
    assert attach_value(typed.split(), VALUED) == meant.split()


def test_where_the_kernel_goes() -> None:
    photo = Path("some/folder/holiday.final.jpg")
    assert psf_path(None, photo) is None
    assert psf_path("", photo) == Path("holiday.final.psf.png")
    assert psf_path("k.NPY", photo) == Path("k.NPY")
    with pytest.raises(UsageError, match=r"\.png .* or \.npy"):
        psf_path("k.tif", photo)
