"""A stand-in for the Hugging Face Hub on 127.0.0.1: its real routes, spoken well or badly."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from tests.hub.downloads import TOKEN, Files, Repo, is_large
from tests.hub.uploads import Handler

__all__ = ["KD", "TOKEN", "Hub", "weights_files"]

Manner = Literal[
    "well",
    "down",  # 503, whatever is asked
    "stumbles",  # breaks off halfway the first time that it gives a large file
    "breaks off",  # halfway the first time, and without a byte whenever it is asked to go on
    "lies",  # large files have the right length and another content
    "is cut short",  # large files are one byte shorter than declared
    "hangs",  # stops halfway through a large file until `go_on` is set
]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients may go away
            super().handle_error(request, client_address)


KD = "from kdcli.cli import main; main()"


class Hub:
    """The server and what it holds. Models are under "OWNER/NAME", data sets under "datasets/OWNER/NAME".

    Attributes:
        manner: how it behaves.
        asked: the requests, as "METHOD /path" with " RANGE" behind it where there was one.
        moved: repositories by their old names.
        halfway, go_on: where it hangs, and for how long.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.repos: dict[str, Repo] = {}
        self.moved: dict[str, str] = {}
        self.large: Files = {}
        self.manner: Manner = "well"
        self.asked: list[str] = []
        self.lock = threading.Lock()
        self.halfway, self.go_on = threading.Event(), threading.Event()
        handler = type("MyHandler", (Handler,), {"hub": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def commit(self, repo: str, files: Files, oid: str | None = None, branch: str = "main") -> str:
        """Add a commit to a repository, made where there is none, and return its hash."""
        held = self.repos.setdefault(repo, Repo())
        whole = {**held.commits.get(held.refs.get(branch, ""), {}), **files}
        names = sorted((name, hashlib.sha1(data).hexdigest()) for name, data in whole.items())
        oid = oid or hashlib.sha1(repr((len(held.commits), repo, names)).encode()).hexdigest()
        held.commits[oid] = whole
        held.refs[branch] = oid
        self.large |= {
            hashlib.sha256(data).hexdigest(): data for n, data in files.items() if is_large(n, data)
        }
        return oid

    def environment(self, **more: str) -> dict[str, str]:
        """A process's environment in which this is the Hub and nothing is in any cache yet."""
        root = str(Path(__file__).parents[2])
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.lower().endswith("_proxy")
            and not key.startswith(("HF_", "KD_", "HUGGINGFACE_", "XDG_"))
        }
        mine = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(self.home / "hf"),
            "HOME": str(self.home),
            "HF_HUB_DISABLE_XET": "1",  # the other protocol for large files has no stand-in
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "*",
            "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",
        }
        return {**kept, **mine, **more}

    def start(self, code: str, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start Python code in a process of its own, since the client reads its settings only once."""
        # The client waits ever longer before it tries again.
        call = [sys.executable, "-c", f"import time\ntime.sleep = lambda seconds: None\n{code}", *words]
        pipe, settings = subprocess.PIPE, self.environment(**environment)
        return subprocess.Popen(call, stdout=pipe, stderr=pipe, text=True, env=settings, cwd=self.home)

    def kd(self, *words: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `kd` in a process of its own, and some code before it."""
        process = self.start(f"{code}\n{KD}", *words, **environment)
        out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def weights_files(**networks: bytes) -> Files:
    """A repository of weights: config.json, and a file for the kernel network, the solver, or both."""
    config: dict[str, Any] = {"licence": "CC0", "data": "nothing", "quality": "none"}
    files: Files = {}
    for role, content in networks.items():
        files[f"{role}.safetensors"] = content
        config[role] = {
            "architecture": f"{role}-1",
            "file": f"{role}.safetensors",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    return {"config.json": json.dumps(config).encode(), **files}
