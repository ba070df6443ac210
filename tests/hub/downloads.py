"""What the stand-in for the Hub answers to those who download."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from json import dumps
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from tests.hub import Hub

TOKEN = "hf_mine"  # of the user "me"
Files = dict[str, bytes]
NAME = r"((?:datasets/)?[\w.-]+/[\w.-]+)"


@dataclass
class Repo:
    """A repository: its commits, oldest first, and where its branches and tags point."""

    commits: dict[str, Files] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False


def is_large(name: str, data: bytes) -> bool:
    """Whether the Hub keeps a file outside of git, by its SHA-256."""
    return name.endswith((".safetensors", ".gz", ".bin")) or len(data) > 10_000_000


def git_sha1(data: bytes) -> str:
    """What git, and the Hub's ETag, call a small file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Refused(Exception):
    """An answer that is an error: status, and what the Hub says in its headers."""

    def __init__(self, status: int, code: str = "", message: str = ""):
        super().__init__(status)
        self.status, self.code, self.message = status, code, message


class Downloads(BaseHTTPRequestHandler):
    """One request: who asks, what for, and the answer."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._serve()

    do_GET = do_POST = do_PUT = do_HEAD

    def _serve(self) -> None:
        parts = urlsplit(self.path)  # a proxy is asked for whole addresses
        self.route = unquote(parts.path)
        span = self.headers.get("Range")
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = self._read_chunks()
        with self.hub.lock:
            self.hub.asked.append(f"{self.command} {self.route}{f' {span}' if span else ''}")
            self.here = f"http://{self.headers.get('Host')}"
            try:
                self.user = self._user()
                if self.hub.manner == "down":
                    raise Refused(503, message="The Hub is down")
                self._answer()
            except Refused as refused:
                headers = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
                said = dumps({"error": refused.message}).encode()
                self.send(refused.status, said, {key: value for key, value in headers.items() if value})

    def _read_chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _user(self) -> str | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if not token:
            return None
        if token != TOKEN:
            raise Refused(401, message="Invalid credentials in Authorization header")
        return "me"

    def _answer(self) -> None:
        for pattern, method in self.ROUTES:
            match = re.fullmatch(pattern, f"{self.command} {self.route}")
            if match:
                getattr(self, method)(*match.groups())
                return
        raise Refused(404, message=f"no stand-in for {self.command} {self.route}")

    def _repo(self, name: str) -> Repo:
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and self.user is None):
            raise Refused(404 if self.user else 401, "RepoNotFound", "Repository not found")
        if repo.gated:
            raise Refused(403, "GatedRepo", f"Access to model {name} is restricted")
        return repo

    def _revision(self, name: str, revision: str) -> tuple[str, Files]:
        repo = self._repo(name)
        oid = repo.refs.get(revision, revision)
        if oid not in repo.commits:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return oid, repo.commits[oid]

    def _resolve(self, name: str, revision: str, path: str) -> None:
        if name in self.hub.moved:
            self.send(307, b"", {"Location": f"/{self.hub.moved[name]}/resolve/{revision}/{path}"})
            return
        oid, files = self._revision(name, revision)
        commit = {"X-Repo-Commit": oid}
        if path not in files:
            raise Refused(404, "EntryNotFound", "Entry not found")
        data = files[path]
        if not is_large(path, data):
            self.send(200, data, {**commit, "ETag": f'"{git_sha1(data)}"'})
            return
        digest = hashlib.sha256(data).hexdigest()
        linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
        self.send(302, b"", {**commit, **linked, "Location": f"{self._elsewhere()}/large/{digest}"})

    def _elsewhere(self) -> str:
        """This server under another name: large files come from other hosts, which get no tokens."""
        if "127.0.0.1" in self.here:
            return self.here.replace("127.0.0.1", "localhost")
        return self.here.replace("http://", "http://cdn.")

    def _large(self, digest: str) -> None:
        """A large file, or the part of it that is asked for."""
        if self.user is not None:
            raise Refused(400, message="a token was sent to another host")
        data = self.hub.large[digest]
        manner = self.hub.manner
        if manner == "lies":
            data = bytes(byte ^ 1 for byte in data)
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        part = data[start:]
        headers = {"ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        if match:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        given = len(part)
        if manner in ("stumbles", "breaks off"):
            earlier = sum(f"GET /large/{digest}" in line for line in self.hub.asked) - 1
            given = given // 2 if earlier == 0 else given if manner == "stumbles" else 0
        if manner == "is cut short":
            part, given = part[:-1], given - 1
        self.send(206 if match else 200, part, headers, given=given)

    def _info(self, name: str, revision: str | None = None) -> None:
        oid, files = self._revision(name, revision or "main")
        siblings = [{"rfilename": path} for path in files]
        self.json(
            {"id": name, "modelId": name, "sha": oid, "siblings": siblings, "tags": [], "private": False}
        )

    def json(self, content: Any, status: int = 200) -> None:
        self.send(status, dumps(content).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, data: bytes, headers: dict[str, str], given: int | None = None) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            if self.hub.manner == "hangs" and "/large/" in self.route:
                self.wfile.write(data[: len(data) // 2])
                self.hub.halfway.set()
                self.hub.go_on.wait(60)
                data = data[len(data) // 2 :]
            self.wfile.write(data[:given])
        if given is not None and given < len(data):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    ROUTES: ClassVar = [
        (rf"(?:GET|HEAD) /{NAME}/resolve/([^/]+)/(.+)", "_resolve"),
        (r"(?:GET|HEAD) /large/(\w+)", "_large"),
        (rf"GET /api/models/{NAME}(?:/revision/([^/]+))?", "_info"),
    ]
