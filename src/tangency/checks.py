"""Arguments of public functions, checked in one place: what came, what was expected, in a line.

Every check takes the value and the name it is called by, and returns the value in the one form that
the code behind it knows, or raises `error`, which is `InputError` unless the caller has its own.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError, MemoryLimitError
from .printable import cut, shown

Refusal = type[ValueError]

_LONGEST_PATH, _LONGEST_NAME = 4095, 255
"""In bytes; of Linux, and no system takes much more."""

_WIDEST = 2**63 - 1


def number(
    value: Any,
    name: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float = math.inf,
    finite: bool = True,
    error: Refusal = InputError,
) -> float:
    """A real number as a float: Python's, NumPy's, or an array or tensor of one without axes.

    least, above, most: bounds, `above` itself excluded. finite: whether infinity is refused too;
    NaN always is.
    """
    found = real(value)
    if (
        found is None
        or math.isnan(found)
        or (finite and math.isinf(found))
        or (above is not None and found <= above)
        or (least is not None and found < least)
        or found > most
    ):
        wanted = "a finite number" if finite else "a number"
        wanted += "" if above is None else f" greater than {above:g}"
        wanted += "" if least is None else f" of at least {least:g}"
        wanted += "" if math.isinf(most) else f" and at most {most:g}"
        raise error(f"{name} must be {wanted}, got {shown(value)}")
    return found


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number of Python's or NumPy's.

    >>> is_whole(np.int8(3)), is_whole(True), is_whole(np.timedelta64(1, "s"))
    (True, False, False)
    """
    # NumPy counts spans of time among the whole numbers.
    not_meant = isinstance(value, bool | np.bool_ | np.timedelta64)
    return isinstance(value, numbers.Integral) and not not_meant


def is_number(value: Any) -> bool:
    """Whether `number` would take it for one, whatever its size."""
    return real(value) is not None


def real(value: Any) -> float | None:
    """The value of a real number, infinite where a float cannot hold it; None for anything else."""
    if isinstance(value, bool | np.bool_ | np.timedelta64):
        return None
    found: Any = value if isinstance(value, numbers.Real) else _item(value)
    if found is None:
        return None
    try:
        return float(found)
    except OverflowError:
        return math.inf if found > 0 else -math.inf


def _item(value: Any) -> Any:
    """The real number in an array or tensor without axes, else None."""
    try:
        if getattr(value, "shape", None) != () or not hasattr(value, "item"):
            return None
        found = value.item()
    except Exception:  # a tensor without a shape, or without data, of any library
        return None
    real = isinstance(found, numbers.Real) and not isinstance(found, bool | np.bool_)
    return found if real else None


def whole(
    value: Any,
    name: str,
    least: int | None = None,
    most: int = _WIDEST,
    *,
    error: Refusal = InputError,
) -> int:
    """A whole number from `least` to `most`; a float that happens to be whole is none."""
    wanted = "a whole number" if least is None else f"a whole number of at least {least}"
    found = value if isinstance(value, numbers.Integral) else _item(value)
    if not is_whole(found):
        raise error(f"{name} must be {wanted}, got {shown(value)}")
    found = int(found)
    if least is not None and found < least:
        raise error(f"{name} must be {wanted}, got {shown(found)}")
    if found > most:
        raise error(f"{name} must be {wanted} and at most {most}, got {shown(found)}")
    return found


def choice(value: Any, name: str, allowed: Iterable[str], *, error: Refusal = InputError) -> str:
    """One of the `allowed` words."""
    words = tuple(allowed)
    if isinstance(value, str) and value in words:
        return str(value)
    if len(words) == 2:
        raise error(f"{name} must be {words[0]} or {words[1]}, got {shown(value)}")
    raise error(f"{name} must be one of {', '.join(words)}; got {shown(value)}")


def flag(value: Any, name: str, *, error: Refusal = InputError) -> bool:
    """True or False, nothing that merely counts as one of them."""
    if not isinstance(value, bool | np.bool_):
        raise error(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def function(value: Any, name: str, *, error: Refusal = InputError) -> Callable[..., Any]:
    """Something that can be called."""
    if not callable(value):
        raise error(f"{name} must be a function, got {shown(value)}")
    return value


def text(value: Any, name: str, *, error: Refusal = InputError) -> str:
    """A string."""
    if not isinstance(value, str):
        raise error(f"{name} must be a text, got {shown(value)}")
    return str(value)


def path(value: Any, name: str = "path", *, error: Refusal = InputError) -> Path:
    """A path that the file system can be asked for: a string or `os.PathLike`, not empty."""
    try:
        found = os.fspath(value)
        if not isinstance(found, str) or not found:
            raise TypeError
        os.fsencode(found)
    except (TypeError, UnicodeError):
        raise error(f"{name} must be the path of a file or folder, got {shown(value)}") from None
    if "\0" in found:
        raise error(f"{name} must be a path without NUL characters, got {shown(value)}")
    if len(os.fsencode(found)) > _LONGEST_PATH or any(
        len(os.fsencode(part)) > _LONGEST_NAME for part in Path(found).parts
    ):
        raise error(f"{name} is longer than a file system takes, got {shown(value)}")
    return Path(found)


def items(value: Any, name: str, *, error: Refusal = InputError) -> list[Any]:
    """The items of a sequence; neither a text nor a mapping is one."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise error(f"{name} must be a sequence, got {shown(value)}")
    try:
        return list(value)
    except MemoryError:
        raise MemoryLimitError(f"{name} has more items than fit in memory") from None
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        # Arrays and tensors without axes say that they can be gone through, and then cannot.
        raise error(f"{name} must be a sequence, got {shown(value)}") from None


def dtype_of(value: Any) -> np.dtype | None:
    """The dtype that a value names, as NumPy reads it; None where it names none."""
    try:
        return np.dtype(value)
    except Exception:  # what it is given decides which
        return None


def jobs(value: Any, name: str = "n_jobs") -> int | None:
    """How many threads, or None for as many as there are; below 0 from their end, as in joblib."""
    if value is None:
        return None
    if not is_whole(value) or value == 0:
        raise InputError(f"{name} must be a whole number other than 0, or None; got {shown(value)}")
    return int(value)


def mapping(value: Any, name: str, *, error: Refusal = InputError) -> dict[Any, Any]:
    """A mapping, as a dictionary."""
    if not isinstance(value, Mapping):
        raise error(f"{name} must be given by name, as a dictionary; got {shown(value)}")
    return dict(value)


def sizes(value: Any, name: str, least: int = 1, *, error: Refusal = InputError) -> tuple[int, ...]:
    """Whole numbers of at least `least`, such as a shape; a single number stands for itself."""
    if isinstance(value, numbers.Integral) or _item(value) is not None:
        value = (value,)
    return tuple(whole(n, f"a size in {name}", least, error=error) for n in items(value, name))


def array(value: Any, name: str, *, error: Refusal = InputError) -> np.ndarray:
    """Real numbers as a float64 array, of NumPy's, PyTorch's or any other sequence.

    Raises:
        error: anything else: text, objects, complex numbers, rows of unequal length, masked values.
        MemoryLimitError: an array of more numbers than there is memory for.
    """
    return _as_float64(real_array(value, name, error=error), name)


def real_array(value: Any, name: str, *, error: Refusal = InputError) -> np.ndarray:
    """Real numbers as an array: floating point keeps its type, everything else becomes float64."""
    found = plain_array(value, name, error=error)
    kind = found.dtype.kind
    if kind == "O" and all(is_number(item) for item in found.flat):
        return np.array([real(item) for item in found.flat], np.float64).reshape(found.shape)
    if kind not in "biuf":
        raise error(f"{name} must be {'real ' * (kind == 'c')}numbers, got {shown(value)}")
    return found if kind == "f" else _as_float64(found, name)


def _as_float64(found: np.ndarray, name: str) -> np.ndarray:
    try:
        return found.astype(np.float64, copy=False)
    except MemoryError:
        raise MemoryLimitError(
            f"{name} of shape {found.shape} needs {8 * found.size:,} bytes as float64; pass less"
        ) from None


def plain_array(value: Any, name: str, *, error: Refusal = InputError) -> np.ndarray:
    """`value` as a NumPy array of whatever dtype: the data of a tensor, without its gradient.

    Raises:
        error: sparse, quantized or nested tensors, tensors without data, sparse matrices, masked
            values, rows of unequal length.
    """
    if hasattr(value, "resolve_neg") and hasattr(value, "detach"):
        return _of_tensor(value, name, error)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise error(f"{name} is an array with masked values; impute or drop them")
    if hasattr(value, "toarray"):
        raise error(f"{name} is a sparse matrix; pass {name}.toarray()")
    try:
        return np.asarray(value)
    except MemoryError:
        raise MemoryLimitError(f"{name} does not fit in memory") from None
    except (TypeError, ValueError, RuntimeError, OverflowError) as reason:
        raise error(
            f"{name} cannot be read as an array ({cut(str(reason))}); got {shown(value)}"
        ) from None


def called(function: Any, what: str, *arguments: Any, error: Refusal = InputError) -> Any:
    """What a function of the caller's gives, or a refusal that says how it failed.

    Functions of scalars, of tensors, or of another number of arguments raise `TypeError`.
    """
    try:
        return function(*arguments)
    except TypeError as reason:
        raise error(
            f"{what} failed on NumPy arrays ({cut(str(reason))}); got {shown(function)}"
        ) from reason


def labels(value: Any, name: str = "labels", *, error: Refusal = InputError) -> np.ndarray:
    """Labels as an array (n,) that can be sorted: numbers, texts or truth values.

    Raises:
        error: other shapes, dates, records, and objects of more than one kind.
    """
    found = plain_array(value, name, error=error)
    if found.dtype.kind == "O" and all(isinstance(item, str) for item in found.flat):
        found = found.astype(str)
    if found.ndim != 1 or found.dtype.kind not in "biufUT" or len(found) == 0:
        raise error(
            f"{name} must be numbers or texts of shape (n,), got an array of shape {found.shape} "
            f"and dtype {cut(str(found.dtype))}"
        )
    return found


def _of_tensor(value: Any, name: str, error: Refusal) -> np.ndarray:
    try:
        found = value.detach().cpu().resolve_conj().resolve_neg()
        if found.is_floating_point() and found.dtype.itemsize < 4:
            found = found.float()  # bfloat16 has no NumPy form
        return found.numpy()
    except (TypeError, RuntimeError, ValueError, NotImplementedError):
        raise error(
            f"{name} must be a dense tensor with its data in memory, got one of dtype "
            f"{value.dtype}, layout {value.layout}, on {value.device}"
        ) from None


@contextmanager
def within_memory() -> Iterator[None]:
    """Arrays that there is no room for end in a `MemoryLimitError`; a decorator too."""
    try:
        yield
    except MemoryLimitError:
        raise
    except (MemoryError, RuntimeError) as error:
        # PyTorch has an error of its own for accelerators only.
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        raise MemoryLimitError(
            f"what is computed does not fit in memory ({cut(str(error), 200) or 'all is taken'}); "
            "pass fewer inputs at a time, or smaller ones"
        ) from error


def axes(value: Any) -> Any:
    """Axes of Matplotlib to draw into, or None for a figure of one's own."""
    if value is not None:
        from matplotlib.axes import Axes

        if not isinstance(value, Axes):
            raise InputError(
                f"axes must be None, or axes of Matplotlib as plt.subplots()[1] gives; got "
                f"{shown(value)}"
            )
    return value
