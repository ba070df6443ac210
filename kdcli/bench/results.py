"""What ``kd bench --json`` writes, and reading it back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdcli.errors import UsageError


def to_json(result: Mapping[str, Any]) -> str:
    """A result as JSON; what is no finite number, such as the PSNR of equal photos, becomes null."""
    return json.dumps(_plain(result), indent=1, allow_nan=False) + "\n"


def read_result(path: Path) -> dict[str, Any]:
    """A file of ``kd bench --json``; one of an older kd, with a single method, too.

    Raises:
        UsageError: it cannot be read, or is something else.
    """
    try:
        result = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON ({error}): name a file of kd bench --json") from error
    if isinstance(result, dict) and "methods" not in result and "method" in result:
        result["methods"] = [{key: result[key] for key in ("method", "mean", "images") if key in result}]
    if wrong := _flaw(result):
        raise UsageError(f"{path}: {wrong}: name a file of kd bench --json")
    return dict(result)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flaw(result: Any) -> str | None:
    """What keeps a value from being a result."""
    if not isinstance(result, dict):
        return "it holds no object"
    methods = result.get("methods")
    if not isinstance(methods, list) or not methods:
        return "it has no methods"
    for method in methods:
        if not isinstance(method, dict) or not isinstance(method.get("method"), str):
            return "a method has no name"
        name = method["method"]
        if not isinstance(method.get("mean", {}), dict):
            return f"the mean of {name} is no object"
        for part in ("images", "failed"):
            rows = method.get(part, [] if part == "failed" else None)
            if not isinstance(rows, list):
                return f"{name} has no {part}"
            if not all(isinstance(row, dict) and isinstance(row.get("name"), str) for row in rows):
                return f"one of the {part} of {name} has no name"
    return None
