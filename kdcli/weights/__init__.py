"""Finding, fetching and checking weights; the bundled ones lie in this folder.

Only `models` and `store` need torch: the rest is imported without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdcli.weights.models import Models, load_models

__all__ = ["Models", "load_models"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from kdcli.weights import models

        return getattr(models, name)
    raise AttributeError(f"module 'kdcli.weights' has no attribute {name!r}")
