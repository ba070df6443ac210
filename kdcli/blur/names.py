"""The names of the kernel families, apart from what draws them: the command line needs no more."""

from __future__ import annotations

from typing import Literal

FamilyName = Literal["motion", "shake", "handheld", "linear", "defocus", "gaussian", "identity", "mixed"]
