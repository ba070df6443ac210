"""What a wheel of kd holds: weights, register, licences, and nothing else that is large or out of place."""

from __future__ import annotations

import sys
from email.message import Message
from email.parser import HeaderParser
from fnmatch import fnmatch
from zipfile import ZipFile

NEEDED = [
    "kdcli/weights/kernel.safetensors",
    "kdcli/weights/solver.safetensors",
    "kdcli/weights/judge.safetensors",
    "kdcli/weights/weights.toml",
    "kdcli/bench/report.html",
    "kdcli-*.dist-info/licenses/LICENSE",
    "kdcli-*.dist-info/licenses/LICENSE-WEIGHTS",
]
ALLOWED = ["kdcli/*.py", "kdcli/bench/*.html", "kdcli/py.typed", "kdcli-*.dist-info/*", *NEEDED]
LARGE = 100_000  # bytes
MOST = 27_000_000


def main(path: str) -> None:
    with ZipFile(path) as wheel:
        sizes = {info.filename: info.file_size for info in wheel.infolist()}
        metadata = HeaderParser().parsestr(wheel.read(_one(sizes, "kdcli-*.dist-info/METADATA")).decode())
    for pattern in NEEDED:
        _one(sizes, pattern)
    for name, size in sizes.items():
        assert any(fnmatch(name, pattern) for pattern in ALLOWED), f"{name} does not belong into the wheel"
        assert size < LARGE or name.endswith(".safetensors"), f"{name} has {size} bytes"
    assert sum(sizes.values()) < MOST, f"{sum(sizes.values())} bytes in all"
    _check(metadata)
    print(f"{path}: {len(sizes)} files, {sum(sizes.values()) / 1e6:.1f} MB")


def _check(metadata: Message) -> None:
    assert metadata["License-Expression"] == "MIT AND LicenseRef-kd-weights", metadata["License-Expression"]
    assert metadata.get_all("License-File") == ["LICENSE", "LICENSE-WEIGHTS"], metadata.get_all(
        "License-File"
    )
    old = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")]
    assert not old, f"{old}: the expression says it (PEP 639)"


def _one(names: dict[str, int], pattern: str) -> str:
    found = [name for name in names if fnmatch(name, pattern)]
    assert len(found) == 1, f"{pattern}: {found or 'missing'}"
    return found[0]


if __name__ == "__main__":
    main(sys.argv[1])
