"""What packages are made of: bounds that are tested, one version, licences, and files that belong there."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from kdcli import __version__
from kdcli.cli.config import tomllib
from kdcli.weights.register import read_bundled

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINTERS = {"mypy", "ruff"}  # they judge the code, and none of it is run by them


def test_every_lower_bound_is_tested() -> None:
    extras = PROJECT["optional-dependencies"]
    bounds: dict[str, set[str]] = {}
    for requirement in map(
        Requirement, [*PROJECT["dependencies"], *extras["heic"], *extras["docs"], *extras["test"]]
    ):
        lower = [part.version for part in requirement.specifier if part.operator == ">="]
        bounds.setdefault(requirement.name, set()).update(lower)
    lines = (ROOT / ".ci/lowest.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {
        name: {Version(bound) for bound in found} for name, found in bounds.items() if name not in LINTERS
    } == {name: {Version(pin)} for name, pin in pins.items()}


def test_the_version_is_told_once() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", citation, re.M)[1] == __version__  # type: ignore[index]


def test_licences() -> None:
    assert PROJECT["license"] == "MIT AND LicenseRef-kd-weights"
    for name in PROJECT["license-files"]:
        assert (ROOT / name).is_file()
    assert PROJECT["license-files"] == ["LICENSE", "LICENSE-WEIGHTS"]
    assert "LicenseRef-kd-weights" in (ROOT / "LICENSE-WEIGHTS").read_text(encoding="utf-8")
    assert "LicenseRef-kd-weights" in read_bundled()["default"].licence
    for page in ("README.md", "docs/model-card.md"):
        assert "LICENSE-WEIGHTS" in (ROOT / page).read_text(encoding="utf-8")
    for part in ("Dockerfile", ".dockerignore"):
        assert "LICENSE-WEIGHTS" in (ROOT / part).read_text(encoding="utf-8")


METADATA = """Metadata-Version: 2.4
Name: kdcli
License-Expression: MIT AND LicenseRef-kd-weights
License-File: LICENSE
License-File: LICENSE-WEIGHTS

# kd
"""
INFO = "kdcli-0.2.0.dist-info"
FILES = {
    "kdcli/__init__.py": "",
    "kdcli/weights/kernel.safetensors": "x" * 200_000,
    "kdcli/weights/solver.safetensors": "x",
    "kdcli/weights/judge.safetensors": "x",
    "kdcli/weights/weights.toml": "",
    "kdcli/bench/report.html": "",
    f"{INFO}/METADATA": METADATA,
    f"{INFO}/licenses/LICENSE": "",
    f"{INFO}/licenses/LICENSE-WEIGHTS": "",
}


def look_into(tmp_path: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(tmp_path / "kd.whl", "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
    runpy.run_path(str(ROOT / ".ci/look_into_wheel.py"))["main"](str(tmp_path / "kd.whl"))


def test_a_wheel_as_it_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    look_into(tmp_path, FILES)
    assert "9 files" in capsys.readouterr().out


@pytest.mark.parametrize("missing", sorted(set(FILES) - {"kdcli/__init__.py"}))
def test_a_wheel_that_lacks_something(tmp_path: Path, missing: str) -> None:
    with pytest.raises(AssertionError, match="missing"):
        look_into(tmp_path, {name: content for name, content in FILES.items() if name != missing})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kdcli/photo.jpg": ""}, "does not belong"),
        ({"tests/test_x.py": ""}, "does not belong"),
        ({"kdcli/big.py": "x" * 200_000}, "200000 bytes"),
        ({"kdcli/weights/solver.safetensors": "x" * 28_000_000}, "bytes in all"),
        ({f"{INFO}/METADATA": METADATA.replace(" AND LicenseRef-kd-weights", "")}, "MIT"),
        ({f"{INFO}/METADATA": METADATA.replace("License-File: LICENSE-WEIGHTS\n", "")}, "LICENSE"),
        (
            {f"{INFO}/METADATA": METADATA.replace("\n\n", "\nClassifier: License :: OSI Approved\n\n")},
            "PEP 639",
        ),
    ],
)
def test_a_wheel_with_something_wrong(tmp_path: Path, more: dict[str, str], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        look_into(tmp_path, {**FILES, **more})


@pytest.mark.parametrize("script", ["run", "package", "lowest"])
@pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for bash")
def test_the_scripts_can_be_read_by_the_shell(script: str) -> None:
    done = subprocess.run(["bash", "-n", ROOT / ".ci" / script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
