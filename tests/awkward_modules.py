"""Modules that a fast way may get wrong, and their Jacobians one input at a time."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from awkward_parts import (
    Buffers,
    Failing,
    attention,
    bag,
    batch_norm,
    beyond_pytorch,
    branching,
    by_func_grad,
    by_jvp,
    by_vmap,
    checkpointed,
    complex_views,
    convolutional,
    counted_embedding,
    custom_gradient,
    detached,
    dropout,
    embedding,
    energy,
    experts,
    flipped_pairs,
    frozen,
    function,
    functional_embedding,
    functional_layers,
    grouped,
    hidden,
    in_place,
    indexed,
    instance_norm,
    linear,
    mixed_at,
    mlp,
    one_hot,
    overwriting,
    parametrised,
    random_noise,
    recurrent,
    residual,
    reused,
    routed,
    routed_by_where,
    scaled_transpose,
    sequence_first,
    single_scale,
    sorted_batch,
    spectral,
    summed_weights,
    tied,
    tied_embedding,
    tokens,
    two_roles,
    weight_norm,
    with_hooks,
    without_gradients,
)


@dataclass(frozen=True)
class Case:
    """A module and the shape of one input; integers below `ids`, where that is not 0."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...] = (3,)
    ids: int = 0
    train: bool = False

    def module(self) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return self.make().double().train(self.train)

    def inputs(self, n: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        if self.ids:
            return torch.randint(0, self.ids, (n, *self.shape), generator=generator)
        # The first feature falls, so that sorting turns the batch around.
        x = torch.randn((n, *self.shape), generator=generator, dtype=torch.float64)
        return x.index_select(0, x.reshape(n, -1)[:, 0].argsort(descending=True))


AB = {"a": linear(3, 4), "o": linear(4, 2)}
ABO = {**AB, "b": linear(4, 4)}
U = {"u": partial(mlp, 3, 4, 1)}

CASES: dict[str, Case] = {
    "sorted": Case(function(sorted_batch, **ABO)),
    "mixed in threes": Case(function(partial(mixed_at, size=3), **AB)),
    "mixed in fours": Case(function(partial(mixed_at, size=4), **AB)),
    "sequence first": Case(function(sequence_first, **AB), (2, 3)),
    "tokens by mask": Case(function(tokens, **AB), (2, 3)),
    "routed": Case(function(routed, **{**AB, "b": linear(3, 4)})),
    "routed by where": Case(function(routed_by_where, **{**AB, "b": linear(3, 4)})),
    "experts": Case(
        function(
            experts,
            gate=linear(3, 2),
            experts=lambda: nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)]),
        )
    ),
    "branching": Case(function(branching, **AB, w=(3, 4))),
    "halves exchanged": Case(function(flipped_pairs, **ABO)),
    "one sequence": Case(function(grouped, **AB), (2, 3)),
    "autograd inside": Case(function(residual, **U)),
    "energy": Case(function(energy, **U)),
    "func.grad inside": Case(function(by_func_grad, **U)),
    "func.jvp inside": Case(function(by_jvp, **U)),
    "func.vmap inside": Case(function(by_vmap, **U)),
    "embedding": Case(embedding(), (3,), 6),
    "embedding, padded": Case(embedding(padding_idx=0), (3,), 6),
    "embedding, sparse": Case(embedding(sparse=True), (3,), 6),
    "embedding, by frequency": Case(embedding(scale_grad_by_freq=True), (3,), 6),
    "embedding, bounded": Case(embedding(max_norm=0.5), (3,), 6),
    "embedding bag": Case(bag, (3,), 6),
    "functional embedding": Case(
        function(functional_embedding, table=(6, 2), o=linear(6, 2)), (3,), 6
    ),
    "functional, by frequency": Case(
        function(counted_embedding, table=(6, 2), o=linear(6, 2)), (3,), 6
    ),
    "indices": Case(function(indexed, table=(6, 2), o=linear(6, 2)), (3,), 6),
    "one hot": Case(function(one_hot, o=linear(18, 2)), (3,), 6),
    "checkpoint": Case(function(partial(checkpointed, False), **ABO)),
    "checkpoint, re-entrant": Case(function(partial(checkpointed, True), **ABO)),
    "pre-hook": Case(with_hooks("pre")),
    "forward hook": Case(with_hooks("forward")),
    "backward hook": Case(with_hooks("backward")),
    "hook on the output": Case(with_hooks("output")),
    "buffer added to": Case(lambda: Buffers("added")),
    "buffer replaced": Case(lambda: Buffers("replaced")),
    "buffer's data": Case(lambda: Buffers("data")),
    "moving average": Case(lambda: Buffers("average"), train=True),
    "spectral norm": Case(spectral, train=True),
    "weight norm": Case(weight_norm),
    "parametrised": Case(parametrised),
    "instance norm in train mode": Case(instance_norm, (1, 5), train=True),
    "batch norm": Case(batch_norm),
    "attention": Case(
        function(
            partial(attention, True),
            attention=lambda: nn.MultiheadAttention(2, 1, batch_first=True),
            o=linear(6, 2),
        ),
        (3, 2),
    ),
    "attention, sequence first": Case(
        function(
            partial(attention, False), attention=lambda: nn.MultiheadAttention(2, 1), o=linear(6, 2)
        ),
        (3, 2),
    ),
    "rnn": Case(
        function(recurrent, r=lambda: nn.RNN(2, 3, batch_first=True), o=linear(3, 2)), (3, 2)
    ),
    "lstm": Case(
        function(recurrent, r=lambda: nn.LSTM(2, 3, batch_first=True), o=linear(3, 2)), (3, 2)
    ),
    "gru": Case(
        function(recurrent, r=lambda: nn.GRU(2, 3, batch_first=True), o=linear(3, 2)), (3, 2)
    ),
    "in place": Case(in_place),
    "input overwritten": Case(function(overwriting, **AB)),
    "complex": Case(function(complex_views, w=(3, 4, 2))),
    "frozen": Case(frozen),
    "detached": Case(function(detached, **AB, b=linear(3, 2))),
    "no gradient inside": Case(function(without_gradients, **AB, b=linear(3, 4))),
    "reused": Case(function(reused, **ABO)),
    "tied": Case(function(tied, a=linear(3, 4))),
    "two roles": Case(function(two_roles, w=(3, 3))),
    "unused": Case(function(lambda m, x: m.o(hidden(m, x)), **AB, w=(2, 2))),
    "functional": Case(function(functional_layers, kernel=(2, 1, 2), bias=(2,), w=(2, 2, 2))),
    "scaled and transposed": Case(function(scaled_transpose, w=(3, 4), v=(8,))),
    "scalar parameters": Case(function(single_scale, a=linear(3, 2), gain=(), shift=(1,))),
    "one gradient for two": Case(function(summed_weights, w=(2, 3), v=(2, 3))),
    "one gradient for two, row by row": Case(
        function(lambda m, x: summed_weights(m, x) * beyond_pytorch(x), w=(2, 3), v=(2, 3))
    ),
    "one number as a gradient": Case(
        function(lambda m, x: m.o(x) * m.w.sum() * beyond_pytorch(x), o=linear(3, 2), w=(3,))
    ),
    "convolutional": Case(convolutional, (1, 3, 3)),
    "custom gradient": Case(function(custom_gradient, **AB)),
}


MIXES = "changes with the other inputs of the batch"
#: What has no kernel, and what is said of it; every one of them changes something on the way.
REFUSED: dict[str, tuple[Case, str]] = {
    "largest of the batch": (
        Case(function(lambda m, x: m.o((h := m.a(x)) / h.abs().max()), **AB)),
        MIXES,
    ),
    "mean of the batch": (Case(function(lambda m, x: m.a(x) - m.a(x).mean(0), **AB)), MIXES),
    "attention over the batch": (
        Case(function(lambda m, x: m.o(torch.softmax(m.a(x), 0)), **AB)),
        MIXES,
    ),
    "constant statistics": (
        Case(function(lambda m, x: m.a(x - x.mean(0).detach()), **AB)),
        MIXES,
    ),
    "embedding, tied": (
        Case(function(tied_embedding, e=lambda: nn.Embedding(6, 4, max_norm=1.0)), (3,), 6),
        MIXES,
    ),
    "noise": (Case(function(random_noise, **AB)), MIXES),
    "batch norm": (Case(batch_norm, train=True), "BatchNorm1d .* is in training mode"),
    "dropout": (Case(dropout, train=True), "Dropout .* is random in training mode"),
    "functional dropout": (
        Case(function(lambda m, x: m.o(functional.dropout(m.a(x))), **AB)),
        MIXES,
    ),
    "tuple": (Case(function(lambda m, x: (m.a(x), x), **AB)), "returns a tuple"),
    "dictionary": (Case(function(lambda m, x: {"y": m.a(x)}, **AB)), "returns a dict"),
    "whole numbers": (Case(function(lambda m, x: m.a(x).argmax(1), **AB)), "returns torch.int64"),
    "complex": (Case(function(lambda m, x: m.a(x) * 1j, **AB)), "returns torch.complex128"),
    "one number": (Case(function(lambda m, x: m.a(x).sum(), **AB)), "must count the inputs"),
    "wrong width": (Case(function(lambda m, x: m.a(x), **AB), (5,)), "cannot evaluate the module"),
    "counts, then fails": (
        Case(lambda: nn.Sequential(Buffers("added"), nn.Linear(5, 1))),
        "cannot evaluate the module",
    ),
    "gradients that fail": (
        Case(function(lambda m, x: m.o(Failing.apply(m.a(x))), **AB)),
        "cannot differentiate the module",
    ),
}


def rows(module: nn.Module, x: Tensor) -> Tensor:
    """(n, o, parameters): backward passes of a fresh copy for each input alone and each output."""
    found = []
    for one in x:
        count = copy.deepcopy(module)(one[None].clone()).numel()
        found.append(torch.stack([_row(copy.deepcopy(module), one, k) for k in range(count)]))
    return torch.stack(found)


def _row(module: nn.Module, x: Tensor, k: int) -> Tensor:
    params = [p for p in module.parameters() if p.requires_grad]
    with warnings.catch_warnings():
        # "Full backward hook is firing when gradients are computed with respect to module outputs".
        warnings.simplefilter("ignore", UserWarning)
        out = module(x[None].clone()).reshape(-1)[k]
        if out.requires_grad:
            out.backward()
    return torch.cat(
        [(p * 0 if p.grad is None else p.grad.to_dense()).reshape(-1) for p in params]
    ).detach()


def state(module: nn.Module) -> dict[str, object]:
    """Whatever a module is, so that two states can be compared bit for bit."""
    found: dict[str, object] = {}
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        found[name] = tensor.detach().numpy().tobytes(), tensor.requires_grad, id(tensor)
        found[f"{name} grad"] = None if tensor.grad is None else tensor.grad.numpy().tobytes()
    for name, part in module.named_modules():
        found[f"{name} training"] = part.training
        found[f"{name} calls"] = getattr(part, "calls", 0)
    found["chance"] = torch.get_rng_state().numpy().tobytes()
    return found
