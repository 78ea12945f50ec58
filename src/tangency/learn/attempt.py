"""Fits that leave a model as it was where they fail."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from ..checks import within_memory

_Method = TypeVar("_Method", bound=Callable[..., Any])


def whole_or_not_at_all(fit: _Method) -> _Method:
    """A method that sets attributes, all of them or, where it raises, none.

    Else a model that was fitted before would mix two fits: the coefficients of one with the kernel,
    the scale or the labels of the other. A lack of memory ends in a `MemoryLimitError`.

    >>> class Model:
    ...     @whole_or_not_at_all
    ...     def fit(self, scale):
    ...         self.scale_ = scale
    ...         self.root_ = scale**0.5 / (scale > 0)
    >>> model = Model()
    >>> model.fit(4.0)
    >>> model.fit(-1.0)
    Traceback (most recent call last):
    ...
    ZeroDivisionError: complex division by zero
    >>> vars(model)
    {'scale_': 4.0, 'root_': 2.0}
    """

    @functools.wraps(fit)
    def attempt(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            with within_memory():
                return fit(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return attempt  # pyright: ignore[reportReturnType]
