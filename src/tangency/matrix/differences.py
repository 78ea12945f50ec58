"""In what two jobs differ, in words."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "version": "version of this library",
    "format": "layout of the store",
    "n": "number of rows",
    "m": "number of columns",
    "tile": "side of the tiles",
    "width": "columns of the tiles",
    "input_shape": "shape of one input",
    "kinds": "kernels",
}
# Characters of a description that are shown, where it begins to differ.
_LONG = 500


def differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Each thing in which the stored job differs from the one that is asked for.

    >>> job = {"dtype": "float32", "tile": 128, "X": "a1", "symmetric": True}
    >>> differences(job, {**job, "tile": 256, "X": "b2"})
    ['side of the tiles: 128 there, 256 here', 'the values in X differ']
    """
    features = ["features"] in (there.get("kinds"), here.get("kinds"))
    if features and there.get("kinds") != here.get("kinds"):
        old, new = (
            "features" if job.get("kinds") == ["features"] else "a kernel matrix"
            for job in (there, here)
        )
        return [f"{old} there, {new} here"]
    found = []
    # Digests of data of another shape or type differ in any case.
    other_data = any(there.get(key) != here.get(key) for key in ("n", "m", "input_shape", "dtype"))
    symmetric = bool(there.get("symmetric") and here.get("symmetric"))
    for key in [*there, *(key for key in here if key not in there)]:
        old, new = there.get(key), here.get(key)
        if old == new or (key in ("m", "Y") and symmetric):
            continue
        if key in ("X", "Y"):
            if key == "Y" and here.get("kinds") == ["features"]:
                found.append("the fitted feature map differs")
            elif not other_data:
                found.append(f"the values in {key} differ")
        elif key == "symmetric":
            found.append("computed without Y there, with Y here" if old else "with Y there only")
        else:
            there_, here_ = _shortened(_safely(old), _safely(new))
            found.append(f"{_NAMES.get(key, key)}: {there_} there, {here_} here")
    return found


def _safely(value: Any) -> str:
    """`_text`, or the value as it is where it only looks like a kernel, as a store may say."""
    try:
        return _text(value)
    except Exception:
        return str(value)


def _text(value: Any) -> str:
    """A value of a description as a person would write it."""
    if isinstance(value, list):
        return " and ".join(map(str, value)) if value and isinstance(value[0], str) else str(value)
    kernel = value.get("type") if isinstance(value, dict) else None
    if kernel in ("NTK", "NNGP") and "net" in value:
        options = [f"{value['net']!r}"]
        if value.get("input_shape"):
            options.append(f"input_shape={tuple(value['input_shape'])}")
        if value.get("normalize"):
            options.append("normalize=True")
        return f"{kernel}({', '.join(options)})"
    if kernel == "Scaled" and "kernel" in value:
        return f"{value.get('factor')} * {_text(value['kernel'])}"
    if kernel in ("Sum", "Product") and "parts" in value:
        sign = " + " if kernel == "Sum" else " * "
        return "(" + sign.join(map(_text, value["parts"])) + ")"
    return str(value)


def _shortened(old: str, new: str) -> tuple[str, str]:
    """Two texts, of which long ones begin a little before the first difference."""
    pairs = enumerate(zip(old, new, strict=False))
    same = next((k for k, (a, b) in pairs if a != b), min(len(old), len(new)))
    start = max(0, same - _LONG // 10)

    def part(text: str) -> str:
        # A store may say anything, and the message may go to a terminal.
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
        if len(text) <= _LONG:
            return text
        end = start + _LONG
        return "…" * (start > 0) + text[start:end] + "…" * (end < len(text))

    return part(old), part(new)
