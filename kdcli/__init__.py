"""Blind motion deblurring by kernel diffusion.

    from kdcli import deblur
    restored = deblur(photo).restored

Images are NumPy arrays (H, W) or (H, W, 3): floating point in [0, 1], or 8- or 16-bit integers. Nothing
heavy is imported before the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdcli._version import __version__

if TYPE_CHECKING:
    from kdcli.api import deblur, estimate_kernel
    from kdcli.weights import load_models

__all__ = ["__version__", "deblur", "estimate_kernel", "load_models"]


def __getattr__(name: str) -> Any:
    if name in ("deblur", "estimate_kernel"):
        import kdcli.api

        return getattr(kdcli.api, name)
    if name == "load_models":
        from kdcli.weights import load_models

        return load_models
    raise AttributeError(f"module 'kdcli' has no attribute {name!r}")
