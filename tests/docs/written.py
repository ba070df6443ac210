"""The `kd` commands that README.md and the documentation show, as a reader would type them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

_BLOCK = re.compile(r"^```(?:sh|bash|console|shell)\n(.*?)^```", re.M | re.S)
_INLINE = re.compile(r"`(kd [^`\n]+)`")
_BREAKS = {"|", "||", "&&", ";", "&", "do", "done"}


@dataclass(frozen=True)
class Written:
    """A command on a page.

    Attributes:
        page: where it is written.
        words: what follows `kd`.
        whole: whether it can be typed as it is, in contrast to one that is mentioned within a line.
    """

    page: str
    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return f"{self.page}: kd {shlex.join(self.words)}"


def commands(text: str, page: str = "") -> Iterator[Written]:
    """The commands of a page: those in blocks of shell, then those within lines."""
    for block in _BLOCK.findall(text):
        for words in _statements(block):
            if (words := _of_kd(words)) is not None:
                yield Written(page, tuple(words), whole=True)
    for inline in _INLINE.findall(re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)):
        yield Written(page, tuple(shlex.split(inline)[1:]), whole=False)


def all_commands() -> list[Written]:
    """Those of all pages, each once."""
    found = [
        command
        for page in PAGES
        for command in commands(page.read_text(encoding="utf-8"), str(page.relative_to(ROOT)))
    ]
    return list(dict.fromkeys(found))


def _statements(block: str) -> Iterator[list[str]]:
    """Simple commands of a block of shell; a redirection ends one, too."""
    for line in block.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.wordchars += "{}[]$()@:+,%"
        statement: list[str] = []
        redirected = False
        for word in lexer:
            if word in _BREAKS:
                yield statement
                statement, redirected = [], False
            elif set(word) <= {"<", ">"}:
                redirected = True
            elif redirected:
                redirected = False
            else:
                statement.append(word)
        yield statement


def _of_kd(words: list[str]) -> list[str] | None:
    """What follows kd, if this calls it: by name, by path, in a container, or after setting variables."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if words[:2] == ["docker", "run"]:
        image = next((i for i, word in enumerate(words) if re.fullmatch(r"kd(:\w+)?", word)), None)
        return None if image is None else words[image + 1 :]
    return words[1:] if words and re.fullmatch(r"(\S*/)?kd", words[0]) else None
