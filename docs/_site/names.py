"""Names of the library in code: links to the reference, broken between their words."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.util.nodes import make_refnode

_PACKAGES = ("", "kernels", "nets", "learn", "gram", "data", "bias", "finite", "results", "typing")
_WORDS = ("open", "status", "load", "verify", "compute")  # which mean other things too
_NAME = re.compile(r"(?:tg\.|tangency\.)?([\w.]+)(\(.*\))?", re.DOTALL)


def _targets() -> dict[str, str]:
    """Each public name, by itself and behind its package, and where the reference has it."""
    found: dict[str, str] = {}
    for package in _PACKAGES:
        path = f"tangency.{package}".rstrip(".")
        for name in import_module(path).__all__:
            full = found.setdefault(name, f"{path}.{name}")
            found[f"{package}.{name}".lstrip(".")] = full if package == "nets" else f"{path}.{name}"
    return {name: full for name, full in found.items() if name not in _WORDS} | {
        "gram": "tangency.kernels.gram"
    }


_TARGETS = _targets()


def target(code: str) -> str | None:
    """The name in the reference that a piece of code names or calls; None where it names none."""
    match = _NAME.fullmatch(code)
    return _TARGETS.get(match[1]) if match else None


def _link(app: Any, doctree: nodes.document, docname: str) -> None:
    """Make links of names in code, in the pages that people write."""
    objects = app.env.domains["py"].objects
    for literal in list(doctree.findall(nodes.literal)):
        full = target(literal.astext())
        inside = isinstance(literal.parent, nodes.reference | nodes.title)
        if full in objects and not inside and objects[full].docname != docname:
            found = objects[full]
            link = make_refnode(app.builder, docname, found.docname, found.node_id, literal.copy())
            link[0].extend(child.deepcopy() for child in literal.children)
            literal.replace_self(link)


def _break(_app: Any, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Let a long name go on in the next line behind a dot, a slash or an underscore."""
    if "body" in context:
        context["body"] = re.sub(
            r'(?<=<span class="pre">)[^<]{12,}(?=</span>)',
            lambda code: re.sub(r"(::|[._/,=(|])(?=\w)", r"\1<wbr>", code[0]),
            context["body"],
        )


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-resolved", _link)
    app.connect("html-page-context", _break)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
