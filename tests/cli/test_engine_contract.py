"""The stand-in for the engine takes and gives what the engine takes and gives."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.conftest import FakeEngine


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    return [
        (name, parameter.kind)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    ]


@pytest.mark.parametrize("name", ["deblur_image", "deblur_images", "estimate_image_kernel"])
def test_the_stand_in_has_the_engines_signature(name: str) -> None:
    from kdcli.engine import deblur

    assert parameters(getattr(FakeEngine, name)) == parameters(getattr(deblur, name))


def test_the_stand_in_has_the_loaders_signature() -> None:
    from kdcli.weights import load_models

    assert parameters(FakeEngine.load_models) == parameters(load_models)


def test_the_stand_in_gives_what_the_engine_gives() -> None:
    from kdcli.engine.results import Deblurred, KernelEstimate

    image = np.zeros((16, 16), np.float32)
    for result, real in (
        (FakeEngine().deblur_image(image, None, None), Deblurred),
        (FakeEngine().estimate_image_kernel(image, None, None), KernelEstimate),
    ):
        assert isinstance(result, SimpleNamespace)
        assert set(vars(result)) <= {field.name for field in fields(real)}
