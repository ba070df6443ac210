"""`kd` as a program of its own, with a stand-in for the engine: for tests that kill it.

Run it as a script: the processes that it starts import it again, and so get the stand-in too. What happens
to a photo depends on its width: `STUCK` is worked on in one endless call to C, `DEADLY` kills the process.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

COMMAND = [sys.executable, __file__]
STUCK, DEADLY = 61, 67


def load_models(device: str, name: str, progress: Any) -> Any:
    return SimpleNamespace(device="cpu", name="fake-1")


def deblur_image(
    image: Any, models: Any, options: Any, *, kernel: Any = None, window: Any = None, progress: Any = None
) -> Any:
    width = image.shape[1]
    if width == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    if width == STUCK:
        Path("stuck").touch()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
    time.sleep(float(os.environ.get("FAKE_SECONDS", 0)))
    estimated = np.zeros((64, 64), np.float32)
    estimated[32, 30:35] = 0.2
    return SimpleNamespace(
        restored=1 - image,
        changed=True,
        kernel=estimated if kernel is None else kernel,
        kernel_width=5,
        reblur_loss=0.25,
        confidence=0.8,
        from_camera=False,
        seconds={"restore": 0.0},
        patches=1,
        warnings=[],
        grid=None,
    )


def install() -> None:
    """Put the stand-in where the engine is looked for."""
    threads = ModuleType("torch")
    threads.get_num_threads = lambda: 2  # type: ignore[attr-defined]
    threads.set_num_threads = lambda count: None  # type: ignore[attr-defined]
    weights, deblur = ModuleType("kdcli.weights"), ModuleType("kdcli.engine.deblur")
    weights.load_models = load_models  # type: ignore[attr-defined]
    deblur.deblur_image = deblur_image  # type: ignore[attr-defined]
    sys.modules.update({"torch": threads, "kdcli.weights": weights, "kdcli.engine.deblur": deblur})


if __name__ in ("__main__", "__mp_main__"):
    install()

if __name__ == "__main__":
    from kdcli.cli import main

    main()
