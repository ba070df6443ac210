"""Where a user's own settings and register of weights are."""

from __future__ import annotations

import os
from pathlib import Path


def config_folder() -> Path:
    """``~/.config/kd`` on every system, or ``kd`` in ``XDG_CONFIG_HOME``, whether it exists or not."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser(), "kd")
