"""Loading: the bundled weights are whole, and whatever is not is refused with one clear line."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.weights import load_models, models, register
from kdcli.weights.register import WeightsFile, WeightsSet, read_register, verify

CONTENT = b"weights" * 100


def test_the_bundled_weights_load_and_take_no_gradients() -> None:
    loaded = load_models("cpu")
    assert loaded.name == "default"
    assert not any(p.requires_grad for p in [*loaded.kernel.parameters(), *loaded.solver.parameters()])


def test_the_bundled_weights_are_small_enough() -> None:
    default = read_register()["default"]
    assert default.kernel.bytes + default.solver.bytes <= 30e6


def test_an_unknown_set_is_a_wrong_usage() -> None:
    with pytest.raises(UsageError, match="unknown weights 'nope'"):
        load_models("cpu", "nope")


@pytest.mark.parametrize("damage", [CONTENT[:-1], b"W" + CONTENT[1:]])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    entry = WeightsFile("w", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    path = tmp_path / "w"
    path.write_bytes(CONTENT)
    verify(path, entry)
    path.write_bytes(damage)
    with pytest.raises(KdError, match="damaged"):
        verify(path, entry)


def test_damaged_bundled_weights_stop_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kernel.safetensors").write_bytes(CONTENT)
    monkeypatch.setattr(register, "_FOLDER", tmp_path)
    whole = read_register(Path(models.__file__).parents[2] / "weights.toml")
    monkeypatch.setattr(models, "read_register", lambda: whole)
    with pytest.raises(KdError, match="damaged"):
        load_models("cpu")


@pytest.mark.parametrize("text", ["default = [", "[default]\nlicence = 'x'\n", "default = 3"])
def test_a_damaged_register_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "weights.toml"
    path.write_text(text)
    with pytest.raises(KdError, match="damaged"):
        read_register(path)


class Hub(BaseHTTPRequestHandler):
    """Speaks the Hub's resolve route for one file."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        if self.path != "/kd/weights/resolve/" + "a" * 40 + "/kernel.safetensors":
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if body:
            self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


FETCH = """
import sys
from kdcli.errors import KdError
from kdcli.weights.register import WeightsFile, WeightsSet, locate
entry = WeightsFile(sys.argv[1], 0, "")
try:
    print(locate(WeightsSet("far", entry, entry, "MIT", "kd/weights", "a" * 40), entry).read_bytes().decode())
except KdError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize(
    ("file", "expected"), [("kernel.safetensors", CONTENT.decode()), ("none", "refused: ")]
)
def test_hub_weights_are_fetched_through_the_cache(
    hub: str, tmp_path: Path, file: str, expected: str
) -> None:
    # The bundled file of that name must not be found first.
    code = "import kdcli.weights.register as r, pathlib; r._FOLDER = pathlib.Path('nowhere')" + FETCH
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    call = [sys.executable, "-c", code, file]
    done = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(expected)
    assert len(done.stdout.splitlines()) == 1


def test_a_missing_file_without_a_hub_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "_FOLDER", tmp_path)
    entry = WeightsFile("kernel.safetensors", 1, "")
    with pytest.raises(KdError, match="install kdcli again"):
        register.locate(WeightsSet("default", entry, entry, "MIT"), entry)
