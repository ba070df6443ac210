"""The Python API, with a stand-in for the engine."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from kdcli.errors import KdError, UsageError
from tests.conftest import FakeEngine, pattern


@pytest.fixture
def api(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch):
    """`kdcli.api`, imported anew on top of the stand-in."""
    import importlib

    monkeypatch.delitem(sys.modules, "kdcli.api", raising=False)
    yield importlib.import_module("kdcli.api")
    sys.modules.pop("kdcli.api", None)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 3])
def test_every_kind_of_array_becomes_float(
    api, engine: FakeEngine, dtype: type, channels: int | None
) -> None:
    image = pattern(channels=channels)
    scale = {np.uint8: 1, np.uint16: 257}.get(dtype, 1 / 255)
    restored = api.deblur((image.astype(float) * scale).astype(dtype), preset="fast", seed=4).restored
    seen = engine.calls[1]
    assert seen["image"].dtype == np.float32
    np.testing.assert_allclose(seen["image"], image / 255, atol=1e-6)
    np.testing.assert_allclose(restored, 1 - image / 255, atol=1e-6)
    assert (seen["options"].preset, seen["options"].seed) == ("fast", 4)


def test_models_are_loaded_once_if_given(api, engine: FakeEngine) -> None:
    models = engine.load_models()
    image = pattern()
    for _ in range(2):
        api.estimate_kernel(image, models=models)
    assert [call for call in engine.calls if "load" in call] == [{"load": "auto"}]


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (np.zeros((20, 20, 4)), UsageError, "shape"),
        (np.zeros(20), UsageError, "shape"),
        (np.zeros((20, 20), int), UsageError, "int64"),
        (np.zeros((20, 15)), UsageError, "15x20 pixels"),
        (np.full((20, 20), 200.0), UsageError, "scale"),
        (np.full((20, 20), np.nan), KdError, "NaN"),
    ],
)
def test_what_is_no_image_is_refused(
    api, engine: FakeEngine, image: np.ndarray, error: type[KdError], words: str
) -> None:
    with pytest.raises(error, match=words):
        api.deblur(image)
    assert engine.calls == []


SPREAD = np.full((64, 64), 1 / 64**2)


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (SPREAD[:63], "shape"),
        ((255 * SPREAD).astype(np.uint8), "uint8"),
        (255 * SPREAD, "sum 255"),
        (SPREAD - 1e-3 * np.eye(64) + 1e-3 * np.eye(64)[::-1], "non-negative"),
        (SPREAD * np.nan, "nan"),
    ],
)
def test_what_is_no_kernel_is_refused(api, engine: FakeEngine, kernel: np.ndarray, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        api.deblur(pattern(), kernel=kernel)
    assert engine.calls == []


def test_a_kernel_reaches_the_engine(api, engine: FakeEngine) -> None:
    api.deblur(pattern(), kernel=SPREAD)
    assert engine.calls[-1]["kernel"].dtype == np.float32


def test_importing_the_package_is_light() -> None:
    code = "import sys, kdcli; print(kdcli.__version__, [n for n in ('torch', 'numpy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith(" []")


def test_an_unknown_name_is_an_attribute_error() -> None:
    import kdcli

    with pytest.raises(AttributeError, match="sharpen"):
        _ = kdcli.sharpen
