"""`search`: the best of many networks, by leave-one-out error on more and more samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...checks import choice, flag, number, path, whole
from ...engines.progress import progress_bar
from ...errors import InputError
from ...kernels import Kernel
from ...kernels.inputs import signals
from ...kernels.plain import plain
from ..classifier import labels_and_places
from ..features.base import generator
from ..optimized import read_options
from ..plain import plain_targets, regression_targets
from ..samples import in_a_few_lines
from ..solvers.options import as_solver
from ..tuning.choice import require_torch
from .judge import Data, Judged, judge
from .pool import Candidate, pool, require_fit
from .searched import Searched, ranked
from .state import State

if TYPE_CHECKING:
    from ...typing import ArrayLike, FilePath, NetworkLike, RandomState
    from ..solvers.options import Solver

TASKS = ("regression", "classification")
_EQUAL = 1e-7  # relative, of errors: the earlier candidate goes first


def search(
    candidates: str | Iterable[NetworkLike | Kernel] | Mapping[str, NetworkLike | Kernel],
    X: ArrayLike,
    y: ArrayLike,
    *,
    kind: str | tuple[str, ...] = "ntk",
    task: str = "regression",
    tune: bool | Mapping[str, Any] | None = None,
    keep: float = 1 / 3,
    least: int = 100,
    most: int = 4000,
    solver: str | Solver = "auto",
    random_state: RandomState = 0,
    progress: bool | None = None,
    checkpoint: FilePath | None = None,
) -> Searched:
    """Find the best among many networks by successive halving on leave-one-out errors.

    All candidates are tried on a few samples, those with the smallest errors on twice as many,
    and so on, until the last ones are tried on all samples.

    Args:
        candidates: networks, their text forms or kernels, in a sequence or by name; texts with
            alternatives and repetitions in braces, as `variants` reads them: "{dense {relu |
            erf}}*1..3 dense".
        X, y: samples (n, d) or (n, *space, channels), and targets (n,) or (n, k), or labels (n,).
        kind: which kernel of each network: "ntk", "nngp", or "both" for two candidates.
        task: "regression" (mean squared leave-one-out error) or "classification" (the same error
            for the indicators of classes, as in `KernelClassifier`).
        tune: whether `tune` first chooses numbers in each network, for the leave-one-out error, on
            up to 1,000 samples. None: those marked by `?`; True: for networks without marks also
            the standard deviations of hidden layers; a mapping: as None, with these options of
            `tune` (restarts, bounds, priors, objective).
        keep: the share of candidates that goes on to the next round, rounded up.
        least, most: numbers of samples, at least in the first round and at most in the last.
        solver: as in `KernelRegressor`; alpha is that of the smallest leave-one-out error.
        random_state: sets the order in which samples are taken; with labels, every round has all
            classes in their shares.
        progress: show a bar after two seconds; None: if stderr is a terminal.
        checkpoint: a file that is written during the search; the same search, started again,
            goes on from there with the same result; random_state must then be a number.

    A candidate whose kernel overflows, or cannot be fitted, comes last, with the reason.
    Multiplying y by a number or adding one changes nothing, up to rounding.

    Raises:
        InputError: data or arguments that make no sense; a checkpoint of another search; all
            candidates failing. NetworkError: a candidate that is no network, or does not fit X.

    Source: Jamieson and Talwalkar 2016, *Non-stochastic best arm identification and hyperparameter
    optimization*.

    >>> import numpy as np
    >>> import tangency as tg
    >>> X = np.random.default_rng(0).standard_normal((60, 2))
    >>> found = tg.search("{dense:b=1 {relu | erf}}*1..2 dense", X, np.sin(2 * X[:, 0]))
    >>> len(found.trials), found.sizes, found.best.name
    (4, (60,), 'dense:b=1 erf dense')
    """
    task = choice(task, "task", TASKS)
    progress = None if progress is None else flag(progress, "progress")
    keep = number(keep, "keep", above=0, most=0.9)
    least, most = whole(least, "least", 2), whole(most, "most", 2)
    place = None if checkpoint is None else path(checkpoint, "checkpoint")
    as_solver(solver)
    options, tuned = _options(tune)
    entered = pool(candidates, kind, tuned)
    if any(each.free for each in entered):
        require_torch()
    data, order = _data(X, y, task, generator(random_state))
    require_fit(entered, data.X)
    sizes = rounds(len(entered), min(len(order), most), least, keep, _varied(data))
    state = State(place, data, entered, {"sizes": sizes, "keep": keep}, options, solver)
    survivors = _halved(entered, data, sizes, keep, options, solver, state, progress)
    return ranked(entered, survivors, sizes, task, solver, X, y)


def rounds(count: int, n: int, least: int, keep: float, varied: int) -> tuple[int, ...]:
    """How many samples there are in each round: each time twice as many, n in the end.

    As many rounds as leave some 1/keep candidates in the last one, if the first one has at least
    `least` samples; and at least `varied`, among which the targets vary.

    >>> rounds(27, 1000, 100, 1 / 3, 2), rounds(27, 150, 100, 1 / 3, 2)
    ((250, 500, 1000), (150,))
    """
    wanted = 1 + max(0, math.ceil(math.log(max(count * keep, 1)) / -math.log(keep) - 1e-9))
    possible = 1 + max(0, int(math.log2(n / max(least, varied))))
    return tuple(n // 2**k for k in reversed(range(min(wanted, possible))))


def _halved(
    entered: tuple[Candidate, ...],
    data: Data,
    sizes: tuple[int, ...],
    keep: float,
    options: dict[str, Any],
    solver: Any,
    state: State,
    progress: bool | None,
) -> list[list[tuple[int, Judged]]]:
    """For each round the candidates that took part, the best first, with what came of them."""
    left, found = list(range(len(entered))), []
    with progress_bar(None, progress, "candidate") as bar:
        for place, size in enumerate(sizes):
            bar.set_description(f"{len(left)} candidates on {size} samples", refresh=False)
            some = data.first(size)
            results: dict[int, Judged] = {}
            for i in left:
                before = found[-1][i].chosen if found else {}
                judged = state.get(place, i)
                if judged is None:
                    judged = judge(entered[i], before, some, options, solver)
                    state.add(place, i, judged)
                results[i] = judged
                bar.update(1)
            state.write()
            found.append({i: results[i] for i in _in_order(results)})
            left = [i for i in found[-1] if not results[i].failure]
            if not left:
                name, failure = entered[i].name, results[i].failure
                raise InputError(f"all candidates failed; the last one, {name}: {failure}")
            left = left[: math.ceil(keep * len(results))]
    return [list(each.items()) for each in found]


def _in_order(results: dict[int, Judged]) -> list[int]:
    """The best first; of equal ones the earlier."""
    rest, order = sorted(results, key=lambda i: (results[i].error, i)), list[int]()
    while rest:
        limit = results[rest[0]].error * (1 + _EQUAL)
        equal = sorted(i for i in rest if results[i].error <= limit)
        order += equal
        rest = [i for i in rest if i not in equal]
    return order


def _options(tune: Any) -> tuple[dict[str, Any], bool | None]:
    if isinstance(tune, Mapping):
        return read_options(tune, "tune", ("objective", "restarts", "bounds", "priors")), None
    return {}, None if tune is None else flag(tune, "tune")


@in_a_few_lines()
def _data(X: Any, y: Any, task: str, random: np.random.Generator) -> tuple[Data, NDArray[np.intp]]:
    """Samples in the order in which they are taken, and that order."""
    x = np.asarray(signals(plain(X, "X"), None))
    raw = np.asarray(plain_targets(y))
    labelled = task == "classification"
    if raw.ndim not in ((1,) if labelled else (1, 2)) or len(raw) != len(x) or raw.size == 0:
        shape = "(n,)" if labelled else "(n,) or (n, k)"
        raise InputError(
            f"y must be {shape} with one for each of the {len(x)} samples; got shape {raw.shape}"
        )
    if labelled:
        classes, codes = labels_and_places(raw)
        if len(classes) < 2:
            raise InputError(f"y has one class only, {classes.tolist()[0]!r}; give two")
        order = _mixed(codes, random)
        return Data(x[order], np.eye(len(classes))[codes[order]], codes[order]), order
    targets = regression_targets(raw).reshape(len(raw), -1)
    if len(targets) < 2:
        raise InputError("one sample is not enough to choose by; give at least two")
    if not np.isfinite(targets).all():
        raise InputError("y has NaN or infinite values; drop these samples")
    if constant := [j for j, column in enumerate(targets.T) if (column == column[0]).all()]:
        raise InputError(
            f"output {constant[0] + 1} of y does not vary, so that any kernel explains it; leave "
            "it out"
        )
    order = random.permutation(len(x))
    return Data(x[order], targets[order], None), order


def _mixed(codes: NDArray[np.intp], random: np.random.Generator) -> NDArray[np.intp]:
    """An order of which any beginning has all classes in their shares, as far as may be."""
    when = np.empty(len(codes))
    for code in np.unique(codes):
        places = random.permutation(np.flatnonzero(codes == code))
        when[places] = (np.arange(len(places)) + random.random()) / len(places)
    return np.argsort(when, kind="stable")


def _varied(data: Data) -> int:
    """How many samples it takes until every output has two values."""
    return int(np.max(np.argmax(data.targets != data.targets[0], axis=0))) + 1
