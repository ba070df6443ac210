"""At which quality a JPEG was saved."""

from __future__ import annotations

from collections.abc import Sequence

# Table K.1 of the JPEG standard (ITU-T T.81), in rows: what the quality setting of most encoders scales.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def jpeg_quality(table: Sequence[int]) -> int:
    """The quality, 1 to 100, whose luminance table comes closest in its sum to this one of 64 entries.

    Exact for files of libjpeg and whatever scales as it does, the nearest thing to it for others.
    """
    return min(range(1, 101), key=lambda quality: abs(_sum(quality) - sum(table)))


def _sum(quality: int) -> int:
    """Of the entries of libjpeg's table at a quality."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(max((entry * scale + 50) // 100, 1), 255) for row in _LUMINANCE for entry in row)
