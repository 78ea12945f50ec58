"""The dual of any activation, those of the user's own included, on any kind of array."""

from __future__ import annotations

from typing import Any

from array_api_compat import is_numpy_array, is_torch_array

from ..checks import is_number
from ..errors import NetworkError
from ..nets.activations import ActivationLayer
from ..nets.identity import foreign
from ..nets.values import own
from ..printable import shown


def dual(activation: ActivationLayer, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
    """The dual; one of the user's own may know NumPy's arrays alone, and is said to."""
    if not foreign(activation):
        return activation.dual(s, q1, q2)
    try:
        return _two_of(activation.dual(own(s), own(q1), own(q2)), activation, tuple(s.shape))
    except Exception as error:
        if isinstance(error, NetworkError) or is_numpy_array(s):
            raise
        kind = "tensors" if is_torch_array(s) else "the 32 digits that distances take"
        raise NetworkError(
            f"{type(activation).__name__}.dual cannot compute with {kind} ({error}); take "
            "functions of the arrays' own library there (array_api_compat.array_namespace(s).exp), "
            "not NumPy's or SciPy's"
        ) from error


def _two_of(found: Any, activation: ActivationLayer, shape: tuple[int, ...]) -> Any:
    """k and k̇ of a dual of the user's own, whose shapes would be broadcast to wrong values."""
    both = tuple(found) if isinstance(found, tuple | list) else ()
    shapes = [tuple(k.shape) if hasattr(k, "shape") else () for k in both]
    good = all(hasattr(k, "shape") or is_number(k) for k in both)
    good = good and not any("complex" in str(getattr(k, "dtype", "")) for k in both)
    if good and len(both) == 2 and all(each in (shape, ()) for each in shapes):
        return both
    got = f"shapes {shapes}" if good and both else shown(found)
    raise NetworkError(
        f"{type(activation).__name__}.dual must give k and k̇, real arrays of the shape of s, "
        f"{shape}, or numbers; it gave {got}"
    )
