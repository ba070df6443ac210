"""Finding, fetching and checking weights; the bundled ones lie in this folder."""

from kdcli.weights.models import Models, load_models

__all__ = ["Models", "load_models"]
