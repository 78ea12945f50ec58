"""`tune`: the continuous parameters of a network, chosen by gradients."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import choice, flag, number, path, whole
from ...errors import InputError, callers_level
from ...kernels.inputs import signals
from ...kernels.plain import plain
from ..features.base import generator
from ..grid import SearchWarning
from ..lowrank import low_rank
from ..plain import plain_targets, regression_targets
from ..priors import Prior, read_priors
from ..samples import in_a_few_lines
from ..threads import torch_threads
from ..units import in_units
from . import free as free_parameters
from .descent import descend, starts
from .free import SCALES
from .objectives import OBJECTIVES
from .problem import KINDS, Problem, without_effect
from .record import Record
from .tuned import Tuned, made

if TYPE_CHECKING:
    from ...typing import ArrayLike, FilePath, NetworkLike, RandomState

_MOST_STARTS = 1000


def tune(
    net: NetworkLike,
    X: ArrayLike,
    y: ArrayLike,
    *,
    kind: str = "nngp",
    objective: str = "marginal_likelihood",
    free: Sequence[str] | None = None,
    noise: float | None = None,
    input_scales: bool = False,
    landmarks: int | None = None,
    restarts: int = 3,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    priors: Mapping[str, Prior | tuple[float, float]] | None = None,
    random_state: RandomState = 0,
    progress: bool | None = None,
    checkpoint: FilePath | None = None,
) -> Tuned:
    """Choose the positive numbers in a network, the noise and the amplitude that suit data best.

    Args:
        net: a network, or its text form, in which `?` marks what is free: `dense:w=?,b=? relu
            dense`. Without marks, and without `free`, the standard deviations of weights and
            biases are free, of all layers with weights but the last.
        X, y: samples (n, d) or (n, *space, channels), and targets (n,) or (n, k), which are
            centred; both are used in float64.
        kind: "nngp" for the kernel of the Gaussian process, or "ntk", which is then used as the
            covariance of a prior too.
        objective: "marginal_likelihood" (the log density of y, largest), "leave_one_out" (the mean
            squared error, smallest) or "predictive_density" (of each sample given the others,
            largest). The amplitude is the best one, in closed form.
        free: names of free parameters, as in `get_params` of an estimator: "0__bias_std"; () for
            the noise alone.
        noise: None for a free noise, or a number in units of K, as in `GaussianProcess`.
        input_scales: whether each feature (each channel of a signal) is multiplied by a free
            number of its own.
        landmarks: None for the objectives of K itself, in O(n³); a number r for those of
            K[:, S] K[S, S]⁺ K[S, :], in O(n r²), with r samples S that randomly pivoted Cholesky
            picks from the kernel that the search begins with.
        restarts: number of further descents, besides the one from the network's own numbers; they
            begin within a factor 30 of these, drawn uniformly in logarithms.
        bounds: two positive numbers by name, by kind ("bias_std", for all layers), for "noise" and
            "input_scales". Default: for a bias 10⁻³ to 10 times the root-mean-square size
            of an input; for other numbers in the network 10⁻² to 10² times their value; for the
            noise 10⁻⁸ to 10² times the mean of K(x, x), which is its unit in `bounds`; for input
            scales 10⁻³ to 10².
        priors: by the same names, `LogNormal(median, factor)` (or just the pair) or
            `Gamma(mean, shape)`: the log density of a parameter's logarithm is added to a log
            density of the data, or to -n/2 log of an error.
        random_state: sets where the restarts begin.
        progress: show a bar after two seconds; None: if stderr is a terminal.
        checkpoint: a file that is written every 30 seconds; the same search, started again, goes on
            from there, with the same result to the last bit.

    The search is L-BFGS in logarithms, with gradients through PyTorch. Without landmarks it takes
    the memory of some eight n × n matrices. A parameter with no effect of its own keeps its value
    and is listed in `without_effect` of the result: for example all weights of a ReLU network
    without biases. Multiplying y by a number or adding one changes nothing, up to rounding.

    Warns with `SearchWarning` if the optimum is at a bound, except for features scaled away.

    Raises:
        InputError: data or arguments that make no sense: a constant target, one sample, NaN, names
            of what cannot be chosen, PyTorch missing; a K + noise·I that is singular from all
            starts; a checkpoint of other data or of another search.
        NetworkError: not a network, or one that does not fit the inputs.

    Source: Rasmussen and Williams 2006, chapter 5.

    >>> import numpy as np
    >>> import tangency as tg
    >>> X = np.linspace(-2, 2, 30)[:, None]
    >>> y = np.sin(2 * X[:, 0] + 1) + 0.1 * np.random.default_rng(0).standard_normal(30)
    >>> found = tg.tune("dense:w=?,b=? erf dense", X, y)
    >>> list(found.chosen), found.text
    (['0__weight_std', '0__bias_std', 'noise'], 'dense:w=?,b=? erf dense')
    >>> found.estimator().score(X, y) > 0.9
    True
    """
    options = {"objective": objective, "free": free, "noise": noise, "bounds": bounds}
    options |= {"input_scales": input_scales, "priors": priors, "restarts": restarts}
    options |= {"landmarks": landmarks}
    options |= {"random_state": random_state, "progress": progress, "checkpoint": checkpoint}
    return tuned(net, X, y, kind=kind, **options)


def tuned(
    net: Any,
    X: Any,
    y: Any,
    *,
    kind: Any,
    objective: Any,
    restarts: Any = 3,
    random_state: Any = 0,
    progress: Any = None,
    checkpoint: Any = None,
    landmarks: Any = None,
    alike: bool = False,
    **options: Any,
) -> Tuned:
    """`tune`; `alike` says that all outputs have the same unit, as those of classes do."""
    require_torch()
    kind = choice(kind, "kind", KINDS)
    objective = choice(objective, "objective", OBJECTIVES)
    restarts = whole(restarts, "restarts", 0, _MOST_STARTS)
    progress = None if progress is None else flag(progress, "progress")
    place = None if checkpoint is None else path(checkpoint, "checkpoint")
    random = generator(random_state)
    problem = _problem(net, samples(X, y, alike), kind, objective, **options)
    with torch_threads(len(problem.x)):
        problem, idle = _with_effect(problem)
        problem = _with_landmarks(problem, landmarks)
        points = starts(problem, restarts, random)
        optimum = descend(problem, points, progress, Record(problem, points, place))
        found = made(problem, optimum, tuple(idle), X, y)
    _warn_at_bounds(found)
    return found


def _problem(
    net: Any,
    data: tuple[Any, Any, Any],
    kind: str,
    objective: str,
    free: Any = None,
    noise: Any = None,
    input_scales: Any = False,
    bounds: Any = None,
    priors: Any = None,
) -> Problem:
    """What is minimised, from what `tune` was given."""
    x, targets, units = data
    columns = x.shape[-1] if flag(input_scales, "input_scales") else 0
    noise = None if noise is None else number(noise, "noise", least=0)
    network, names = free_parameters.read(net, free)
    size = float(np.sqrt(np.mean(np.sum(np.square(x), axis=-1)))) or 1.0
    others = free_parameters.beside(noise is None, columns, {})
    known = {*names, *(each.name for each in others), *(each.kind for each in others)}
    known |= {name.rpartition("__")[2] for name in names}
    given = free_parameters.read_bounds(bounds, known.__contains__)
    variables = free_parameters.bounded(network, names, size, given)
    variables += free_parameters.beside(noise is None, columns, given)
    if not variables:
        raise InputError(
            "nothing is free: mark parameters by ? or name them in free, or leave noise=None"
        )
    variables = free_parameters.with_priors(variables, read_priors(priors))
    return Problem(network, kind, x, targets, units, objective, tuple(variables), noise)


def _with_effect(problem: Problem) -> tuple[Problem, list[str]]:
    """The problem without what changes nothing, and the names of that; a prior is an effect."""
    # At some point in general position, where nothing vanishes by chance.
    (place,) = starts(problem, 1, np.random.default_rng(1))[1:]
    known = {each.name for each in problem.free if each.prior is not None}
    idle = without_effect(problem, problem.start + 0.2 * (place - problem.start))
    idle = [name for name in idle if name not in known]
    left = tuple(each for each in problem.free if each.name not in idle)
    if not left:
        raise InputError(
            f"nothing that is free has an effect of its own: the amplitude, which is chosen in "
            f"closed form, has that of {', '.join(idle)}; free more, such as biases or the noise"
        )
    return dataclasses.replace(problem, free=left), idle


def _with_landmarks(problem: Problem, count: Any) -> Problem:
    """The problem with so many samples as landmarks, picked for the network's own numbers."""
    if count is None:
        return problem
    n = len(problem.x)
    count = whole(count, "landmarks", 1, n - 1)
    start = problem.settings(np.exp(problem.start).tolist())
    kernel = KINDS[problem.kind](start.net)
    x = problem.x if start.scales is None else problem.x * np.array(start.scales)
    found = low_rank(lambda places: kernel(x, x[places]), kernel.diag(x), count, seed=0, tol=1e-12)
    if not found.rank:
        raise InputError("K is zero for all samples, so that there are no landmarks; scale X up")
    return dataclasses.replace(problem, landmarks=tuple(sorted(found.pivots.tolist())))


def _warn_at_bounds(found: Tuned) -> None:
    # A feature that is scaled away has found its place.
    edges = [e for e in found.at_bounds if not (e[0].startswith(SCALES) and e[1] == "lower")]
    if not edges:
        return
    words = [f"{name} at its {end} bound {value:.3g}" for name, end, value in edges]
    warnings.warn(
        f"the best values stand at the edge of what was searched: {', '.join(words)}. To do: "
        "widen bounds={name: (low, high)}; or standardise the inputs; or take another network.",
        SearchWarning,
        stacklevel=callers_level(),
    )


@in_a_few_lines()
def samples(X: Any, y: Any, alike: bool = False) -> tuple[Any, Any, Any]:
    """X in float64, y (n, k) centred with mean square 1, and the units (k,) that y was in.

    alike: all outputs have one unit, that of their mean square.

    Raises:
        InputError: as `tune`.
    """
    x = np.array(signals(plain(X, "X"), None), np.float64)  # PyTorch minds what is read-only
    raw = np.asarray(plain_targets(y))
    if raw.ndim not in (1, 2) or len(raw) != len(x) or raw.size == 0:
        raise InputError(
            f"y must be (n,) or (n, k) with a target for each of the {len(x)} samples; got shape "
            f"{raw.shape}"
        )
    targets = regression_targets(raw).reshape(len(raw), -1)
    if len(targets) < 2:
        raise InputError("one sample is not enough to choose by; give at least two")
    if not np.isfinite(targets).all():
        raise InputError("y has NaN or infinite values; drop these samples")
    units = in_units(targets)
    centred = units.targets - units.targets.mean(axis=0)
    centred = centred - centred.mean(axis=0)  # what the first mean had rounded away
    sizes = np.sqrt(np.mean(np.square(centred), axis=0))
    # rounding of a mean is no variation
    constant = sizes <= 4 * np.finfo(np.float64).eps * np.abs(units.targets).max(axis=0)
    if constant.any():
        raise InputError(
            f"output {int(np.argmax(constant)) + 1} of y does not vary, so that any kernel "
            "explains it; leave it out"
        )
    if not alike:
        return x, centred / sizes, units.scales * sizes
    largest = units.scales.max()
    centred = centred * (units.scales / largest)
    size = np.sqrt(np.mean(np.square(centred)))
    return x, centred / size, np.full(len(sizes), largest * size)


def require_torch() -> None:
    """Refuse to go on without PyTorch."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"tune takes its gradients from PyTorch, which cannot be imported ({error}); install "
            'it with: pip install "tangency[torch]"'
        ) from error
