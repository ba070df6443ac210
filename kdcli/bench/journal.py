"""What a long run has measured so far, kept on disk so that nothing is measured twice."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from kdcli.errors import KdError, UsageError

Task = tuple[int, int]
"""Places of a method and of an image."""


class Journal:
    """Scores by task, and a file of JSON lines that gets each as soon as it is known.

    The file stays when the journal is closed: remove it once the results are elsewhere.

    Args:
        path: of the file; None keeps nothing.
        settings: what the scores depend on; a file made with others is refused.
        resume: go on from the file if there is one, else start anew.

    Raises:
        UsageError: the file was made with other settings.
        KdError: it can't be written.
    """

    def __init__(
        self, path: Path | None = None, settings: dict[str, Any] | None = None, resume: bool = False
    ):
        self.done: dict[Task, dict[str, Any]] = {}
        self.path = path
        self._file: IO[str] | None = None
        if path is None:
            return
        header = json.dumps({"settings": settings}, sort_keys=True, default=str)
        kept = self._read(header) if resume and path.is_file() else []
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise KdError(f"cannot write {path}: {error.strerror or error}") from error
        self._write(header)
        for line in kept:
            self._write(line)

    def _read(self, header: str) -> list[str]:
        assert self.path is not None
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        if not lines or lines[0] != header:
            raise UsageError(
                f"{self.path} is of a run with other settings: repeat them, or leave out --resume"
            )
        kept = []
        for line in lines[1:]:
            try:
                entry = json.loads(line)
                task = (int(entry["method"]), int(entry["image"]))
                scores = dict(entry["scores"])
            except (ValueError, KeyError, TypeError):
                break  # cut short when the run was killed
            if "error" not in scores:  # what failed gets another try
                self.done[task] = scores
                kept.append(line)
        return kept

    def keep(self, task: Task, scores: dict[str, Any]) -> None:
        """Remember the scores of a task."""
        self.done[task] = scores
        self._write(json.dumps({"method": task[0], "image": task[1], "scores": scores}))

    def _write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file, which stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
