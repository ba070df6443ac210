"""Formulas as MathML, which browsers draw by themselves: no script, nothing fetched from elsewhere.

They are written as GitHub takes them: a block is fenced as ```math, and within a line a dollar goes before
and behind code in backticks.
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

_INLINE = re.compile(r"\$<code>(.*?)</code>\$")


def on_config(config: Any) -> Any:
    """Called by MkDocs: teaches its Markdown the blocks."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "formula", "format": _block})
    return config


def on_page_content(content: str, **_settings: Any) -> str:
    """Called by MkDocs with every page's HTML: draws the formulas within lines."""
    return _INLINE.sub(lambda match: str(convert(html.unescape(match.group(1)))), content)


def _block(source: str, *_args: Any, **_settings: Any) -> str:
    return f'<div class="formula">{convert(source, display="block")}</div>'
