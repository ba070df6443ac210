"""`--save-psf [FILE]` and its like: whose word is the next one?"""

from __future__ import annotations

import pytest

from kdcli.cli.optional_values import attach_values, given

OPTIONAL = {"--save-psf", "--compare"}
VALUED = {"-o", "--output", "--seed", *OPTIONAL}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("in.jpg", "in.jpg"),
        ("in.jpg --save-psf", "in.jpg --save-psf="),
        ("in.jpg --save-psf k.npy", "in.jpg --save-psf=k.npy"),
        ("in.jpg --save-psf=k.npy", "in.jpg --save-psf=k.npy"),
        ("in.jpg --save-psf -o out.png", "in.jpg --save-psf= -o out.png"),
        ("in.jpg -o out.png --save-psf k.png", "in.jpg -o out.png --save-psf=k.png"),
        ("in.jpg --compare c.png --save-psf k.png", "in.jpg --compare=c.png --save-psf=k.png"),
        ("in.jpg --compare --save-psf", "in.jpg --compare= --save-psf="),
        ("--save-psf k.png in.jpg", "--save-psf=k.png in.jpg"),
        ("--save-psf in.jpg", "--save-psf= in.jpg"),
        ("--save-psf in.png", "--save-psf= in.png"),
        ("--save-psf --compare in.png", "--save-psf= --compare= in.png"),
        ("--save-psf in.png --compare c.png", "--save-psf= in.png --compare=c.png"),
        ("--save-psf in.jpg -o out.png", "--save-psf= in.jpg -o out.png"),
        ("--save-psf in.png -o out.png", "--save-psf= in.png -o out.png"),
        ("-o out.png --seed 3 --save-psf in.png", "-o out.png --seed 3 --save-psf= in.png"),
        ("--save-psf --seed 3 in.jpg", "--save-psf= --seed 3 in.jpg"),
        ("--save-psf k.png -- -in.jpg", "--save-psf=k.png -- -in.jpg"),
        ("--save-psf k.png -", "--save-psf=k.png -"),
        ("-oout.png --save-psf in.png", "-oout.png --save-psf= in.png"),
        ("--save-psf", "--save-psf="),
    ],
)
def test_the_next_word_is_the_value_unless_it_must_be_the_photo(typed: str, meant: str) -> None:
    assert attach_values(typed.split(), VALUED, OPTIONAL) == meant.split()


@pytest.mark.parametrize(
    ("value", "meant"),
    [(None, None), ("", ""), ("k.npy", "k.npy"), ("1", ""), ("True", ""), ("false", None), ("0", None)],
)
def test_where_no_command_line_gives_it_a_bare_option_is_true(value: str | None, meant: str | None) -> None:
    assert given(value) == meant
