"""Options within lines stay whole: browsers like to end a line with the hyphen of -o."""

from __future__ import annotations

import re
from typing import Any


def on_page_content(content: str, **_settings: Any) -> str:
    """Called by MkDocs for every page: marks options, which site.css keeps on one line."""
    return re.sub(r"<code>(-[\w-]+)</code>", r'<code class="option">\1</code>', content)
