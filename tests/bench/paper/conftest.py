"""Results of ``kd bench`` to make tables and figures from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdcli.bench.results import read_result


def image(number: int, psnr: float, **more: Any) -> dict[str, Any]:
    """The measures of one image."""
    return {"name": f"{number:03}.png", "psnr": psnr, "ssim": 0.5, "psnr_input": 20.0, "seconds": 3.0, **more}


def result(count: int = 2, **more: Any) -> dict[str, Any]:
    """Two methods on as many images of bsd100."""
    identity = [image(number, 20.0) for number in range(count)]
    kd = [image(number, 21.0 + number, mnc=0.75, lpips=0.25) for number in range(count)]
    return {
        "version": "9.9",
        "dataset": "bsd100",
        "preset": "best",
        "options": {"steps": 1},
        "count": count,
        "methods": [
            {"method": "identity", "images": identity, "mean": {"psnr": 20.0, "ssim": 0.5}},
            {"method": "kd", "images": kd, "mean": {"fid": 123.456}},
        ],
        **more,
    }


def with_curves(*methods: tuple[str, list[list[float]]]) -> dict[str, Any]:
    """Methods and the residuals of their only image."""
    return {
        "methods": [
            {"method": name, "images": [image(0, 20.0, residuals=curves)], "mean": {}}
            for name, curves in methods
        ]
    }


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a result to a file that can be read."""

    def store(made: dict[str, Any], name: str = "r.json") -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(made))
        assert read_result(path)["methods"] == made["methods"]
        return path

    return store
