"""`KD_DEBUG=1`: for those who look inside kd."""

from __future__ import annotations

import logging
import os
import warnings


def debugging() -> bool:
    """Whether the user wants tracebacks."""
    return os.environ.get("KD_DEBUG", "0") not in ("", "0")


def hush_libraries() -> None:
    """Unless debugging, keep what libraries have to say about their insides from someone with a photo."""
    if not debugging():
        warnings.simplefilter("ignore")
        logging.getLogger().addHandler(logging.NullHandler())
