"""Photos on disk, and a stand-in for the engine that needs neither torch nor weights."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdcli.threads import wait_without_spinning
from tests.hub import Hub

wait_without_spinning()  # before any test imports torch: beside other work tests would take ten times as long


def pattern(height: int = 24, width: int = 36, channels: int | None = 3) -> np.ndarray:
    """Smooth 8-bit pixels (H, W) or (H, W, C) whose eight orientations all differ."""
    y, x = np.mgrid[:height, :width].astype(float)
    planes = [40 + 150 * x / width + 60 * y / height, 250 - 200 * y / height, 30 + 200 * x / width]
    planes.append(np.where(x + y > height, 255.0, 60.0))
    stack = np.stack(planes, -1).astype(np.uint8)
    return stack[..., 0] if channels is None else stack[..., :channels]


@pytest.fixture(autouse=True)
def _no_settings_of_ones_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the developer has set for kd must not change what is tested."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
    for name in list(os.environ):
        if name.startswith("KD_") and name not in ("KD_DATA", "KD_FUZZ"):
            monkeypatch.delenv(name)


@pytest.fixture
def photo_file(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a small photo with Pillow and returns its path."""

    def write(name: str = "photo.png", pixels: np.ndarray | None = None, **settings: Any) -> Path:
        path = tmp_path / name
        Image.fromarray(pattern() if pixels is None else pixels).save(path, **settings)
        return path

    return write


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A stand-in for the Hugging Face Hub."""
    server = Hub(tmp_path)
    yield server
    server.close()


def hear_ctrl_c() -> None:
    """In a new process: a shell's background jobs ignore Ctrl-C, and what they start does, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class FakeEngine:
    """Plays `kdcli.weights` and `kdcli.engine.deblur`: inverts the photo, and notes how it was called."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    changed: bool = True
    loss: float = 0.25
    failure: BaseException | None = None
    weights: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def load_models(self, device: str = "auto", name: str = "default", progress: Any = None) -> Any:
        self.calls.append({"load": device})
        self.weights.append(name)
        return SimpleNamespace(device="cpu", name="fake-1")

    def deblur_image(
        self,
        image: Any,
        models: Any,
        options: Any,
        *,
        kernel: Any = None,
        window: Any = None,
        progress: Any = None,
    ) -> Any:
        result = self.estimate_image_kernel(image, models, options, progress=progress)
        self.calls[-1]["kernel"] = kernel
        part = image if window is None else image[window]
        result.restored = 1 - part if self.changed else part.copy()
        result.changed = self.changed
        del result.found
        if kernel is not None:
            result.kernel = kernel
        return result

    def deblur_images(
        self, images: Any, models: Any, options: Any, *, kernel: Any = None, progress: Any = None
    ) -> Any:
        self.batches.append(len(images))
        return [self.deblur_image(one, models, options, kernel=kernel, progress=progress) for one in images]

    def estimate_image_kernel(self, image: Any, models: Any, options: Any, *, progress: Any = None) -> Any:
        self.calls.append({"image": image, "options": options})
        if self.failure is not None:
            raise self.failure
        if progress is not None:
            progress("estimate", 0.0)
            progress("estimate", 1.0)
        kernel = np.zeros((64, 64), np.float32)
        kernel[32, 30:35] = 0.2
        return SimpleNamespace(
            kernel=kernel,
            kernel_width=5,
            reblur_loss=self.loss,
            confidence=0.8,
            from_camera=False,
            seconds={"estimate": 0.5},
            patches=1,
            grid=None,
            warnings=list(self.warnings),
            found=self.changed,
        )

    def image_grid(self, image: Any, models: Any, options: Any, shape: Any, *, progress: Any = None) -> Any:
        """The same kernel everywhere."""
        kernel = self.estimate_image_kernel(image, models, options, progress=progress).kernel
        rows, columns = (
            (np.arange(count) + 0.5) * side / count for count, side in zip(shape, image.shape, strict=False)
        )
        kernels = np.broadcast_to(kernel, (*shape, *kernel.shape))
        middle = kernels[shape[0] // 2, shape[1] // 2]
        return SimpleNamespace(
            kernels=kernels, rows=rows, columns=columns, agreement=0.5, middle=middle, found=self.changed
        )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The stand-in, installed."""
    fake = FakeEngine()
    weights, deblur = ModuleType("kdcli.weights"), ModuleType("kdcli.engine.deblur")
    weights.load_models = fake.load_models  # type: ignore[attr-defined]
    deblur.deblur_image = fake.deblur_image  # type: ignore[attr-defined]
    deblur.deblur_images = fake.deblur_images  # type: ignore[attr-defined]
    deblur.estimate_image_kernel = fake.estimate_image_kernel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kdcli.weights", weights)
    varying = ModuleType("kdcli.engine.varying")
    varying.image_grid = fake.image_grid  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kdcli.engine.varying", varying)
    preview = ModuleType("kdcli.engine.preview")
    preview.preview_window = lambda image: (slice(2, 20), slice(3, 33))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kdcli.engine.deblur", deblur)
    monkeypatch.setitem(sys.modules, "kdcli.engine.preview", preview)
    return fake
