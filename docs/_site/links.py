"""Links of the pages to files outside of docs/: to their page on the site, or else plain text."""

from __future__ import annotations

import re
from typing import Any

_OUTWARD = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)(#[^)]*)?\)")
_PAGES = {
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "examples": "tutorials/index.rst",
    "examples/tutorials": "tutorials/index.rst",
    "examples/gallery": "gallery/index.rst",
}


def _on_site(match: re.Match[str]) -> str:
    text, path, anchor = match[1], match[2].rstrip("/"), match[3] or ""
    example = re.fullmatch(r"examples/((?:tutorials|gallery)/\w+)\.py", path)
    page = f"{example[1]}.rst" if example else _PAGES.get(path)
    return f"[{text}](/{page}{anchor})" if page else text


def _read(_app: Any, docname: str, source: list[str]) -> None:
    if "/" not in docname:
        source[0] = _OUTWARD.sub(_on_site, source[0])


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
