"""Data of other libraries, and of NumPy's masked arrays, on its way to plain arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from ..errors import InputError
from ..printable import shown

_NUMBERS = "biufc"

_REVERSE = (
    "differentiate kernels with torch.autograd.grad, torch.autograd.functional.jacobian or "
    ".backward(), outside of it"
)

# No array has more axes: what is nested deeper is refused elsewhere.
_DEEPEST = 64


def refuse_masked(data: Any, name: str, depth: int = 0) -> None:
    """Refuse masked values, which NumPy would take for the numbers behind the mask.

    They may stand in a masked array, or in those of a list.

    >>> import numpy as np
    >>> refuse_masked(np.ma.masked_array([1.0, 2.0], mask=[False, True]), "X")
    Traceback (most recent call last):
        ...
    tangency.errors.InputError: X is an array with masked values; impute or drop them, or pass \
X.data to use the values behind the mask
    """
    if np.ma.is_masked(data):
        what = f"{name} is an array" if isinstance(data, np.ma.MaskedArray) else f"{name} is a list"
        raise InputError(
            f"{what} with masked values; impute or drop them, or pass {name}.data to use the "
            "values behind the mask"
        )
    if isinstance(data, list | tuple) and depth < _DEEPEST:
        for part in data:
            if isinstance(part, np.ma.MaskedArray | list | tuple):
                refuse_masked(part, name, depth + 1)


def refuse_uncomputed(data: Any, name: str) -> None:
    """Refuse a query that has not been run."""
    if type(data).__name__ == "LazyFrame":
        raise InputError(f"{name} is a LazyFrame, a query that has not run; pass {name}.collect()")


def refuse_unread(data: Any, name: str) -> None:
    """Refuse what holds data that must be read first: paths, pictures, sets of pairs, a `Dataset`.

    NumPy would read some of them, as the numbers of colours in a palette, or rows of one picture.
    """
    if isinstance(data, str | PathLike) and name[:1] in ("X", "Y", "y"):  # weights are no file
        part = "y_train" if name == "y" else "X_train"
        read = f"tangency.data.load({shown(str(data))}).{part}"
        raise InputError(f"{name} is the text {shown(str(data))}; to read a file, pass {read}")
    if hasattr(data, "X_train") and hasattr(data, "y_train"):
        raise InputError(f"{name} is a {type(data).__name__}; pass its X_train, or y_train")
    what = "is an image of Pillow" if _is_picture(data) else _held(data)
    if what is None:
        return
    of = f"[{name}]" if _is_picture(data) else name
    raise InputError(
        f"{name} {what}; pass tangency.data.load({of}, require_labels=False).X_train, which is "
        "(n, height, width, channels), with pixels in [0, 1]"
    )


def _held(data: Any) -> str | None:
    """What the first item of a list or data set says of all of them, if that is no plain data."""
    sequence = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    if not sequence or isinstance(data, dict) or hasattr(data, "shape") or not len(data):
        return None
    try:
        first = data[0]
    except Exception:  # a sequence of another kind, which NumPy may read or refuse
        return None
    if _is_picture(first):
        return "holds images of Pillow"
    if not isinstance(first, tuple | list) or len(first) != 2:
        return None
    picture, label = first
    single = np.ndim(label) == 0 if not is_torch_array(label) else label.ndim == 0
    if single and (_is_picture(picture) or getattr(picture, "ndim", 0) > 0):
        return "holds pairs of a picture and a label"
    return None


def _is_picture(data: Any) -> bool:
    return any(kind.__module__ == "PIL.Image" for kind in type(data).__mro__)


def refuse_no_data(data: Any, name: str) -> None:
    """Refuse a dictionary, an open .npz file or the like, a set, an iterator, and None."""
    if isinstance(data, Mapping) and not hasattr(data, "toarray"):  # one of SciPy's is a dict too
        raise InputError(
            f"{name} is a {type(data).__name__}; pass an array with a row for each sample, such as "
            f"np.column_stack(list({name}.values()))"
        )
    if data is None or isinstance(data, set | frozenset | Iterator):
        raise InputError(
            f"{name} is {'None' if data is None else f'a {type(data).__name__}'}; pass an array "
            "with a row for each sample"
        )


def refuse_other_columns(data: Any, name: str) -> None:
    """Refuse a table of pandas or polars with columns of dates or text, and name these."""
    if not is_table(data):
        return
    other = [f"{each} ({dtype})" for each, dtype in _columns(data) if not _is_numeric(dtype)]
    if other:
        more = f" and {len(other) - 5} more" if len(other) > 5 else ""
        raise InputError(
            f"{name} has columns that are not numbers: {', '.join(other[:5])}{more}; encode or "
            "drop them"
        )


def refuse_unlike_columns(first: Any, second: Any, names: tuple[str, str] = ("X", "Y")) -> None:
    """Refuse two tables whose columns have other names, or another order.

    Names that are not all texts, as the numbers that pandas gives, say nothing.
    """
    if not (is_table(first) and is_table(second)):
        return
    left, right = (list(table.columns) for table in (first, second))
    if left == right or not all(isinstance(name, str) for name in left + right):
        return
    x, y = names
    if sorted(left) == sorted(right):
        what = "the same columns in another order"
        remedy = f"pass {y}[list({x}.columns)]"
    else:
        alone = ", ".join(map(shown, [*(set(left) ^ set(right))][:5]))
        what = f"other columns ({alone} in one of the two only)"
        remedy = "give both the same columns"
    raise InputError(f"{y} has {what} than {x}; {remedy}, or .to_numpy() of both to go by position")


def is_table(data: Any) -> bool:
    """Tell whether `data` is a DataFrame of pandas or polars."""
    library = type(data).__module__.partition(".")[0]
    return library in ("pandas", "polars") and type(data).__name__ == "DataFrame"


def table_values(data: Any, name: str) -> np.ndarray:
    """Return the numbers of a table as an array (n, d); what is missing becomes NaN.

    Columns may be nullable, backed by Arrow, or of several types: then the type is float64.
    """
    refuse_other_columns(data, name)
    values = np.asarray(data)
    if values.dtype.kind in _NUMBERS:
        return values
    if type(data).__module__.partition(".")[0] == "pandas":
        return data.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.column_stack([np.asarray(data[each], dtype=np.float64) for each in data.columns])


def readable_tensor(data: Any, name: str) -> Any:
    """Return a dense tensor whose memory holds its values: not lazily negated or conjugated.

    Raises:
        InputError: sparse, nested and quantized tensors, those that hold no values, and those that
            a derivative rides on which would be lost (see `refuse_transformed`).
    """
    if str(data.layout) != "torch.strided":
        raise InputError(f"{name} is a sparse tensor; pass {name}.to_dense()")
    if data.is_nested:
        raise InputError(f"{name} is a nested tensor; pass one whose rows have one length")
    if data.is_quantized:
        raise InputError(f"{name} is a quantized tensor; pass {name}.dequantize()")
    if data.is_meta:
        raise InputError(f"{name} is a tensor on the meta device, which holds no values")
    refuse_transformed(data, name)
    return data.resolve_conj().resolve_neg()


def refuse_transformed(tensor: Any, name: str, remedy: str = _REVERSE) -> None:
    """Refuse tensors of `torch.func` and of forward mode: only reverse mode is followed.

    The blocks of a matrix are written into one array, in which a forward derivative would be zero
    without a word.

    Raises:
        InputError: what it is, and the remedy.
    """
    from torch.autograd.forward_ad import unpack_dual

    try:
        tensor.data_ptr()
    except RuntimeError:
        what = "is a tensor of a transform of torch.func (grad, jacrev, jvp, vmap, …)"
    else:
        if unpack_dual(tensor).tangent is None:
            return
        what = "carries a derivative of forward mode (torch.autograd.forward_ad)"
    raise InputError(f"{name} {what}, which is not followed; {remedy.format(name=name)}")


def holds_tensors(data: Any) -> bool:
    """Tell whether a list holds PyTorch tensors, as far as its first few items show."""
    return isinstance(data, list | tuple) and any(map(is_torch_array, itertools.islice(data, 8)))


def _columns(data: Any) -> Iterable[tuple[Any, Any]]:
    return zip(data.columns, data.dtypes, strict=True)


def _is_numeric(dtype: Any) -> bool:
    if hasattr(dtype, "is_numeric"):  # polars
        return bool(dtype.is_numeric()) or str(dtype) in ("Boolean", "Null")
    kind = getattr(dtype, "kind", "O")
    inner = getattr(dtype, "categories", None)
    if inner is not None:  # categories that are numbers themselves
        return inner.dtype.kind in _NUMBERS
    # columns of Python objects are judged by their values
    return kind in _NUMBERS or (kind == "O" and str(dtype) == "object")
