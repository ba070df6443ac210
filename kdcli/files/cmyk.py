"""Printing colours to those of a screen."""

from __future__ import annotations

import io

from PIL import Image, ImageCms


def cmyk_to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """A CMYK picture in sRGB, by its colour profile where that is of use, and a note on it."""
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return converted, "is in CMYK: written in sRGB, converted by its colour profile"
    return image.convert("RGB"), "is in CMYK without a colour profile: written in RGB, so compare the colours"
