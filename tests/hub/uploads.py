"""What the stand-in for the Hub answers to those who upload."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import ClassVar

from tests.hub.downloads import NAME, Downloads, Files, Refused, Repo, is_large


class Handler(Downloads):
    """All requests."""

    def _create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        self._may_write(name)
        if name in self.hub.repos:
            self.json({"error": "You already created this model repo", "url": f"{self.here}/{name}"}, 409)
            return
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.repos[name] = Repo(private=private)
        self.json({"url": f"{self.here}/{name}", "name": name, "id": name})

    def _may_write(self, name: str) -> None:
        if self.user is None:
            raise Refused(401, message="Invalid username or password.")
        if not name.startswith(f"{self.user}/"):
            raise Refused(403, message=f"You don't have the rights to create a model under {name}")

    def _validate(self) -> None:
        """Model cards need a head in YAML whose licence the Hub knows."""
        head = re.match(r"---\n(.*?)\n---\n", json.loads(self.body)["content"], re.DOTALL)
        if head is None or not re.search(r"^license: (other|mit|apache-2\.0)$", head[1], re.MULTILINE):
            self.json({"errors": [{"message": '"license" must be one of [...]'}], "warnings": []}, 400)
            return
        self.json({"errors": [], "warnings": []})

    def _preupload(self, name: str, _revision: str) -> None:
        self._may_write(name)
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if is_large(file["path"], b"") else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(self.body)["files"]
        ]
        self.json({"files": files})

    def _batch(self, name: str) -> None:
        self._may_write(name)
        objects = []
        for item in json.loads(self.body)["objects"]:
            entry = {**item, "authenticated": True}
            if item["oid"] not in self.hub.large:
                upload = {"href": f"{self.here}/large/{item['oid']}", "header": {}}
                verify = {"href": f"{self.here}/{name}/verify", "header": {}}
                entry["actions"] = {"upload": upload, "verify": verify}
            objects.append(entry)
        self.json({"transfer": "basic", "objects": objects})

    def _put(self, digest: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != digest:
            raise Refused(400, message="the content has another SHA-256")
        self.hub.large[digest] = self.body
        self.send(200, b"", {"ETag": f'"{digest}"'})

    def _verify(self, name: str) -> None:
        self._may_write(name)
        asked = json.loads(self.body)
        if len(self.hub.large.get(asked["oid"], b"")) != asked["size"]:
            raise Refused(404, message="not uploaded")
        self.json({})

    def _commit(self, name: str, revision: str) -> None:
        self._may_write(name)
        files: Files = {}
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        oid = self.hub.commit(name, files, branch=revision)
        self.json({"success": True, "commitOid": oid, "commitUrl": f"{self.here}/{name}/commit/{oid}"})

    ROUTES: ClassVar = [
        *Downloads.ROUTES,
        (r"POST /api/repos/create", "_create"),
        (r"POST /api/validate-yaml", "_validate"),
        (rf"POST /api/models/{NAME}/preupload/([^/]+)", "_preupload"),
        (rf"POST /{NAME}\.git/info/lfs/objects/batch", "_batch"),
        (r"PUT /large/(\w+)", "_put"),
        (rf"POST /{NAME}/verify", "_verify"),
        (rf"POST /api/models/{NAME}/commit/([^/]+)", "_commit"),
    ]
