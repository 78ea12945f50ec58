"""Docstrings as Sphinx reads them: sections are lists, and `names`, formulas, examples marked."""

from __future__ import annotations

import inspect
import re
from dataclasses import is_dataclass
from typing import Any

from names import target
from sphinx.util.inspect import stringify_signature

_SECTION = re.compile(r"(Args|Parameters|Returns|Raises|Attributes):\n")
_UNDERLINED = re.compile(r"^(Parameters|Attributes|Returns|Examples)\n-+\n", re.M)
_ITEM = re.compile(r"(\*{0,2}\w[\w, ]*(?: \([^)]*\))?) ?:\s")
_EMPHASIS = re.compile(r"(?<![\w*])\*([A-Z][^*]+?[a-z])\*(?![\w*])")


def marked_up(text: str) -> str:
    """A docstring as reStructuredText."""
    made: list[str] = []
    for part in re.split(r"(\n\s*\n)", _with_colons(text)):
        if not part.strip() or part.startswith(">>>"):
            made.append(part)
        elif _SECTION.match(part):
            made.append(_section(part))
        elif part.startswith("    ") and not _goes_on(made):
            made.append(_kept(part))
        else:
            made.append(_inline(part))
    return "".join(made)


def _with_colons(text: str) -> str:
    """Sections that are underlined, as those with a colon."""
    head, *parts = _UNDERLINED.split(text)
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name == "Examples":
            head += body
        else:
            items, blank, rest = body.partition("\n\n")
            head += f"{name}:\n" + re.sub("^", "    ", items, flags=re.M) + blank + rest
    return head


def _section(paragraph: str) -> str:
    """Arguments, attributes or errors, each a term with what it means."""
    head, _, body = paragraph.partition(":\n")
    made = [f".. rubric:: {'Parameters' if head == 'Args' else head}", ""]
    if head == "Returns":
        return "\n".join([*made, _inline(re.sub("^ +", "", body, flags=re.M))])
    for item in re.split(r"\n    (?! )", body.removeprefix("    ")):
        text = re.sub(r"\n +", "\n", item)
        if found := _ITEM.match(text):
            names, shape, _ = re.split(r"( \(.*|$)", found[1], maxsplit=1)
            made.append(", ".join(map(_code, names.split(", "))) + shape)
            text = re.sub("^", "    ", text[found.end() :], flags=re.M)
        made.append(_inline(text))
    return "\n".join(made)


def _goes_on(before: list[str]) -> bool:
    """Whether an indented paragraph goes on with a list before it."""
    head = next((part for part in reversed(before) if part.strip()), "")
    return bool(re.match(r"([-*]|\d+\.) ", head))


def _kept(paragraph: str) -> str:
    """A formula, or code, that is indented by itself."""
    python = re.search(r"^\s*(import|from|\w+ = |tg\.)", paragraph, re.M)
    return f".. code-block:: {'python' if python else 'text'}\n\n{paragraph}"


def _inline(text: str) -> str:
    parts = re.split(r"(``.+?``|`[^`]+`)", text, flags=re.S)
    return "".join(
        part if part[:2] == "``" else _code(part[1:-1]) if part[:1] == "`" else _plain(part)
        for part in parts
    )


def _code(text: str) -> str:
    """What stands in single backticks: a link where it is a public name, else code."""
    full = target(text)
    if full and "(" not in text.removesuffix("()"):
        return f":py:obj:`{text} <{full}>`"
    return f"``{' '.join(text.split())}``"


def _plain(text: str) -> str:
    """Text outside of code, with what reStructuredText would take for markup escaped."""
    text = _EMPHASIS.sub("\0\\1\1", text)
    text = re.sub(r"([\\*|])", r"\\\1", text)
    text = re.sub(r"_(?=\W|$)", r"\\_", text)
    return text.replace("\0", "*").replace("\1", "*")


def _process(
    _app: Any, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]
) -> None:
    lines[:] = marked_up("\n".join(lines)).split("\n")


def _signature(
    _app: Any, what: str, _name: str, thing: Any, _options: Any, found: Any, gives: Any
) -> tuple[Any, Any]:
    """That of `__init__` for layers and kernels, whose `__new__` takes anything to refuse it."""
    if what == "class" and is_dataclass(thing) and thing.__new__ is not object.__new__:
        _self, *given = inspect.signature(thing.__init__).parameters.values()
        return stringify_signature(inspect.Signature(given), unqualified_typehints=True), None
    return found, gives


def _skip(_app: Any, _what: str, _name: str, thing: Any, skip: bool, _options: Any) -> bool | None:
    """Leave out what comes from scikit-learn, PyTorch or Python itself."""
    where = getattr(getattr(thing, "fget", thing), "__module__", None) or "tangency"
    return True if not where.startswith("tangency") else None


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
