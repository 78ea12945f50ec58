"""Values and gradients of a module on each input alone, many inputs at a time where that works.

f(x) is the module's output for a batch of x alone. `torch.func.vmap` evaluates just this for all
inputs of a batch at once, whatever the module does along its first axis; where it cannot, one input
goes through the module after the other.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..errors import InputError
from .gradients import add, failed, gradients, single
from .subject import Subject

# Two ways to the same numbers agree this well, or one of them is wrong.
AGREEMENT = {torch.float32: 1e-3, torch.float64: 1e-8}
# How far the output for one input may depend on its neighbours in a batch: rounding alone.
_ROUNDING = {torch.float32: 1e-3, torch.float64: 1e-9}


def values(subject: Subject, x: Tensor) -> Tensor:
    """(n, outputs), without a graph."""
    if subject.ways.mapped:
        try:
            found = _mapped(subject, {}, x).detach()
        except Exception:
            subject.ways.mapped = False
        else:
            last = _evaluated(subject, x[-1:])
            if not differing({"": last}, {"": found[-1:]}):
                return found
    return torch.cat([_evaluated(subject, one[None]) for one in x])


def pull(subject: Subject, x: Tensor, v: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """f(x), and the gradient of ⟨v, f(x)⟩ in each parameter; v is (n, outputs).

    Raises:
        ModuleError: PyTorch cannot differentiate the module.
    """
    if subject.ways.mapped:
        leaves = subject.leaves()
        try:
            out = _mapped(subject, leaves, x)
            return out.detach(), gradients(out, leaves, v)
        except Exception:
            subject.ways.mapped = False
    outs: list[Tensor] = []
    total: dict[str, Tensor] = {}
    for i in range(len(x)):
        out, (found,) = single(subject, x[i : i + 1], v[i : i + 1])
        outs.append(out)
        add(total, found)
    return torch.cat(outs), total


def _mapped(subject: Subject, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    with warnings.catch_warnings():
        # "There is a performance drop": an operation without a batching rule.
        warnings.simplefilter("ignore", UserWarning)
        return torch.func.vmap(lambda one: subject.outputs(params, one[None])[0])(x)


def check_independent(subject: Subject, x: Tensor) -> None:
    """Refuses modules in which inputs of one batch change each other's outputs, or chance does.

    Where outputs are a small difference of large numbers, as those of a centred network are near
    the weights that it began with, rounding is all that can be compared, and outputs of zero say
    nothing: what counts then is the same comparison at other weights.
    """
    alone, together = _both_ways(subject, x)
    if not bool(torch.isfinite(alone).all()):
        raise InputError("the module's outputs are NaN or infinite; check its parameters")
    same = _near(alone, together, subject.dtype)
    if not same or not bool(alone.any()):
        found = _same_elsewhere(subject, x)
        same = same if found is None else found
    if not same:
        raise InputError(
            "the module's output for an input changes with the other inputs of the batch (or from "
            "call to call), so an output has no gradient of its own; call module.eval(), and let "
            "nothing in it mix the batch"
        )


def _both_ways(subject: Subject, x: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs for each input alone, and for all at once."""
    alone = torch.cat([_evaluated(subject, x[i : i + 1]) for i in range(len(x))])
    return alone, _evaluated(subject, x)


def _near(alone: Tensor, together: Tensor, dtype: torch.dtype) -> bool:
    difference, size = (together - alone).abs().max(), alone.abs().max()
    return float(difference) <= _ROUNDING[dtype] * max(float(size), 1e-30)


def _same_elsewhere(subject: Subject, x: Tensor) -> bool | None:
    """Whether an output is that of its input alone at weights that are moved by about one percent.

    In float64, if the module can be evaluated there; None where it cannot be evaluated at all.
    """
    for dtype in (torch.float64, subject.dtype):
        moved = _moved(subject, dtype)
        try:
            alone, together = _both_ways(moved, x.to(dtype) if x.is_floating_point() else x)
        except InputError:
            continue
        if bool(torch.isfinite(alone).all()):
            return _near(alone, together, subject.dtype)
    return None


def _moved(subject: Subject, dtype: torch.dtype) -> Subject:
    """At copies of all weights, each changed by up to 1.5 %; those of zeros alone become small."""

    def moved(parameters: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
        found = {}
        for i, (name, p) in enumerate(parameters.items()):
            p = _in(p, dtype).clone()
            if p.is_floating_point():
                step = random_like(subject, tuple(p.shape), seed + i).to(p)
                p += 0.01 * step * (p if bool(p.any()) else 1.0)
            found[name] = p
        return found

    params = moved(subject.params, 0)
    fixed = moved(subject.fixed, len(params))
    buffers = {name: _in(b, dtype) for name, b in subject.buffers.items()}
    return Subject(subject.module, params, fixed, buffers)


def _in(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def look(subject: Subject, x: Tensor) -> int:
    """How many outputs there are; notes what stands in the way of evaluating many inputs at once.

    Raises:
        ModuleError: the module fails on this input alone.
    """
    watch = _Watch(subject)
    with watch:
        count = _evaluated(subject, x[:1]).shape[1]
    subject.ways.renewed |= watch.renewed
    if watch.counted:
        # Not a derivative: the gradients of a batch are not the sum of those of its inputs.
        subject.ways.mapped = False
    return count


def check_mapped(subject: Subject, x: Tensor, outputs: int) -> bool:
    """Whether two inputs at once give what each gives alone; if not, `pull` takes one by one."""
    ways = subject.ways
    if not ways.mapped or ways.checked:
        return ways.mapped
    x = x[:2]
    v = random_like(subject, (len(x), outputs))
    out, found = pull(subject, x, v)
    if ways.mapped:
        ways.mapped = False
        wanted_out, wanted = pull(subject, x, v)
        ways.mapped = not differing({"": wanted_out, **wanted}, {"": out, **found})
    ways.checked = True
    return ways.mapped


def differing(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> set[str]:
    """Names under which two sets of tensors differ by more than rounding."""
    sizes = {name: float(torch.linalg.vector_norm(w)) for name, w in wanted.items()}
    least = 1e-3 * max((size for name, size in sizes.items() if name), default=0.0)
    wrong = set()
    for name, w in wanted.items():
        error = float(torch.linalg.vector_norm(w - found[name].reshape(w.shape)))
        if not error <= AGREEMENT[w.dtype] * (sizes[name] + (least if name else 0.0)):
            wrong.add(name)
    return wrong


def random_like(subject: Subject, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Numbers of order 1, away from zero, the same at every call."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64)
    sign = torch.randint(0, 2, shape, generator=generator) * 2 - 1
    first = next(iter(subject.params.values()))
    return ((0.5 + drawn) * sign).to(first.device, first.dtype)


def _evaluated(subject: Subject, x: Tensor) -> Tensor:
    try:
        return subject.outputs({}, x).detach()
    except (InputError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise failed("evaluate", x, error) from error


class _Watch(TorchFunctionMode):
    """Sees embeddings that overwrite their weight, or whose gradients are no derivatives."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._names = {id(p): name for name, p in (*subject.params.items(), *subject.fixed.items())}
        self.renewed: frozenset[str] = frozenset()
        self.counted = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (functional.embedding, functional.embedding_bag):
            given = {**dict(zip(range(len(args)), args, strict=True)), **kwargs}
            self.counted |= bool(given.get("scale_grad_by_freq", given.get(5)))
            if given.get("max_norm", given.get(3)) is not None:
                weight = given.get("weight", given.get(1))
                self.renewed |= {self._names[id(weight)]} if id(weight) in self._names else set()
        return func(*args, **kwargs)
