"""Differences of feature vectors: in float64, then with 32 digits where that is not enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from ..checks import within_memory
from ..engines import dispatch
from ..engines.engine import Computing, Wanted
from ..engines.pairs import Differences, Pairs, differences, pairs
from ..engines.rounding import near
from ..errors import InputError
from ..nets.plan import Plan

# Bytes of the rows that are copied out at a time.
_ROWS = 2**26
# Values of a kernel between which products have 32 digits.
_LEAST, _MOST = 1e-285, 1e300


@dataclass(frozen=True)
class Request:
    """What is asked for of one network's kernel; all inputs are float64."""

    plan: Plan
    kind: str
    normalize: bool
    rtol: float
    computing: Computing

    @within_memory()
    def of_pairs(self, x: Any, y: Any) -> Differences:
        """Of rows taken two by two, (n,)."""
        values = pairs(self.plan, x, y, kind=self.kind, computing=self.computing)
        return self._refined(values, x, y, lambda places: (places, places))

    def of_all(self, x: Any, y: Any | None) -> Differences:
        """Of all rows with all rows, (n, m)."""
        wanted = Wanted.only(self.kind)
        cross = getattr(dispatch.gram(self.plan, x, y, wanted, self.computing), self.kind)
        first = self._diagonal(x)
        second = first if y is None else self._diagonal(y)
        values = Pairs(first[:, None], second[None, :], cross)
        other = x if y is None else y
        m = other.shape[0]
        return self._refined(values, x, other, lambda p: np.divmod(p, m), symmetric=y is None)

    def _diagonal(self, x: Any) -> Any:
        pair = dispatch.diagonal(self.plan, x, self.kind == "ntk", self.computing)
        return getattr(pair, self.kind)

    def _refined(
        self, values: Pairs, x: Any, y: Any, rows: Any, symmetric: bool = False
    ) -> Differences:
        """The differences of `values`, computed anew for the inputs that are too near."""
        found = differences(values, self.normalize)
        if is_torch_array(found.squared) and found.squared.requires_grad:
            return found
        squared, gap, total = (_host(v).copy() for v in np.broadcast_arrays(*map(_host, found)))
        close = squared <= near(self.plan, self.kind, self.rtol) * total
        # Below the normal numbers a square counts as zero, which these are not.
        faint = ~close & (squared < np.finfo(squared.dtype).tiny)
        if faint.any():
            i = rows(np.flatnonzero(faint)[:1])[0]
            raise _without_digits(float(_largest(_host(x)[i])[0]))
        if symmetric:
            close &= np.triu(np.ones(close.shape, dtype=bool), 1)
        places = np.flatnonzero(close)
        flat = [a.reshape(-1) for a in (squared, gap, total)]
        left, right = _host(x), _host(y)
        step = max(1, _ROWS // max(1, left[0].nbytes))
        for start in range(0, len(places), step):
            part = places[start : start + step]
            i, j = rows(part)
            self._recompute(left[i], right[j], part, flat)
        if symmetric:
            for a, sign in ((squared, 1.0), (gap, -1.0), (total, 1.0)):
                upper = np.triu(a, 1)
                a[...] = upper + sign * upper.T + np.diag(np.diag(a))
            np.fill_diagonal(squared, 0.0)
        return Differences(*(_like(found.squared, a) for a in (squared, gap, total)))

    def _recompute(
        self, x: np.ndarray, y: np.ndarray, places: np.ndarray, out: list[np.ndarray]
    ) -> None:
        from ..engines import extended

        same = np.all((x == y).reshape(len(x), -1), axis=1)
        out[0][places[same]], out[1][places[same]] = 0.0, 0.0
        x, y, places = x[~same], y[~same], places[~same]
        if not len(places):
            return
        better = extended.differences(
            self.plan,
            x,
            y,
            kind=self.kind,
            normalize=self.normalize,
            n_jobs=self.computing.n_jobs,
            progress=self.computing.progress,
        )
        # Products near the ends of the exponent range have no second half.
        good = np.all(np.isfinite(better), axis=0)
        size, total = np.maximum(_largest(x), _largest(y)), out[2][places]
        small, large = (size > 0) & (size < math.sqrt(_LEAST)), size > math.sqrt(_MOST) / 1e6
        if self.normalize and (small | large).any():
            total = _host(self._diagonal(x)) + _host(self._diagonal(y))
        lost = (small & (total < _LEAST)) | (large & ((total > _MOST) | ~good))
        if lost.any():
            raise _without_digits(float(size[lost][0]))
        for values, new in zip(out, better, strict=True):
            values[places[good]] = new[good]


def _without_digits(size: float) -> InputError:
    return InputError(
        f"inputs that are near each other, of numbers up to {size:.3g}, have a "
        "kernel near the ends of the range of float64, where their distance has no digits; "
        "divide the inputs by another number"
    )


def _largest(x: np.ndarray) -> np.ndarray:
    return np.abs(x).reshape(len(x), -1).max(axis=1)


def _host(x: Any) -> Any:
    return x.detach().cpu().numpy() if is_torch_array(x) else x


def _like(example: Any, x: np.ndarray) -> Any:
    if not is_torch_array(example):
        return x
    return array_namespace(example).asarray(x, device=device(example))
