"""What the repository has and the site has not: the code that pages link to, and CONTRIBUTING.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = "contributing.md"
_LINK = re.compile(r"\[([^\]]+)\]\(\.\./((?!docs/)[^)#\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Called by MkDocs: puts the page among the files of `docs/`."""
    from mkdocs.structure.files import File

    text = (_root(config) / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files.append(File.generated(config, PAGE, content=text.replace("](docs/", "](")))
    return files


def on_page_markdown(markdown: str, config: Any, **_settings: Any) -> str:
    """Called by MkDocs for every page: links to the code lead to the repository or become its paths.

    As they are written, they work where the page is read in the repository.
    """

    def link(match: re.Match[str]) -> str:
        text, path = match.groups()
        if not (_root(config) / path).exists():
            return match.group()  # leads nowhere, which the strict build refuses
        if config.repo_url:
            return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{path})"
        return f"`{path}`" if path in text else f"{text} (`{path}`)"

    return _LINK.sub(link, markdown)


def _root(config: Any) -> Path:
    return Path(config.config_file_path).parent
