"""Gradients in the inputs beside jax.grad through neural-tangents, in one interleaved run.

    python benchmarks/gradients.py --peer PYTHON [--runs 5] [--cases NAME,...]

PYTHON is an interpreter that has neural-tangents, as in peers.py. The gradient of the sum of all
values of both kernels in the first of two sets of inputs is taken, in float32, on the same
processors; on our side by PyTorch's `backward`. Gradients of both sides are compared first. Then
our call without a gradient, ours with its backward pass and the peer's gradient run in turn, and
medians are taken; the peer gets the blocks with which it is fastest. A last column is what the
backward pass in one set of inputs taken with itself costs, in calls of the same kernel.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import RESULTS, head, interleaved, medians, seconds, use_processors, write_json
from peer_process import Peer

import tangency as tg
from cases import Case

# Gradients of both sides, in float32, relative to the largest number.
AGREEMENT = 1e-3
_DENSE = " relu dense" * 4
CASES = {
    case.name: case
    for case in (
        # With a bias: without one, the kernel is a function of the angle, and costs less.
        Case("dense-5", "dense:b=0.3" + _DENSE, (784,), 10, None, peer_net="dense" + _DENSE),
        Case("conv3-gap-8", "conv3 relu conv3 relu conv3 relu gap dense", (8, 8, 1), 10, None),
        Case("conv3-gap-32", "conv3 relu conv3 relu conv3 relu gap dense", (32, 32, 3), 10, None),
        Case("conv3-flatten-32", "conv3 relu conv3 relu flatten dense", (32, 32, 3), 10, None),
        Case(
            "pooled-16", "conv3 relu avg2 conv3 relu avg2 conv3 relu gap dense", (16, 16, 3), 10,
            None,
        ),
    )
}  # fmt: skip
SIZES = {"dense-5": 2000, "conv3-gap-8": 256, "conv3-gap-32": 32, "conv3-flatten-32": 256,
         "pooled-16": 96}  # fmt: skip


def slopes(net: Any, x: np.ndarray, y: np.ndarray | None, threads: int) -> np.ndarray:
    """The gradient in x of the sum of all values of both kernels."""
    first = torch.from_numpy(x).requires_grad_()
    pair = tg.gram(net, first, y if y is None else torch.from_numpy(y), n_jobs=threads)
    (pair.nngp.sum() + pair.ntk.sum()).backward()
    assert first.grad is not None
    return first.grad.numpy()


def compare(case: Case, peer: Peer, options: argparse.Namespace) -> dict[str, Any]:
    """Times both sides of a case."""
    n, threads = SIZES[case.name], options.threads
    scale = np.float32(case.shape[-1] ** -0.5)
    peer.load(case, case.inputs(256, 3), case.inputs(256, 4))
    x, y = scale * case.inputs(3, 3), scale * case.inputs(3, 4)
    ours = slopes(case.peer_network, x, y, threads)
    theirs = peer.slopes(3) / scale
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if not error <= AGREEMENT:
        raise SystemExit(f"{case.name}: gradients differ by {error:.1e} of the largest")
    tuned = peer.tuned(case, options.longest, options.seconds)
    x, y = scale * case.inputs(n, 3), scale * case.inputs(n, 4)
    calls = {
        "forward": lambda: seconds(lambda: tg.gram(case.network, x, y, n_jobs=threads)),
        "gradient": lambda: seconds(lambda: slopes(case.network, x, y, threads)),
        "symmetric": lambda: seconds(lambda: tg.gram(case.network, x, n_jobs=threads)),
        "its gradient": lambda: seconds(lambda: slopes(case.network, x, None, threads)),
        "peer": lambda: peer.run(tuned.block, tuned.repeats)["seconds"],
    }
    calls["gradient"]()
    times = interleaved(calls, options.runs)
    typical = medians(times)
    rate, peer_rate = n * n / typical["gradient"], tuned.pairs / typical["peer"]
    return {
        "net": case.net,
        "shape": case.shape,
        "inputs": n,
        "agreement": error,
        "peer_block": tuned.block,
        "seconds": times,
        "pairs_per_second": {"ours": rate, "peer": peer_rate},
        "ratio": rate / peer_rate,
        "calls": typical["gradient"] / typical["forward"],
        "calls_symmetric": typical["its gradient"] / typical["symmetric"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--peer", type=Path, required=True, help="it has neural-tangents")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each side (5)")
    parser.add_argument("--threads", type=int, default=2, help="processors for both sides (2)")
    parser.add_argument("--seconds", type=float, default=1.5, help="the least time of a run (1.5)")
    parser.add_argument("--longest", type=float, default=40, help="the most for a peer block (40)")
    parser.add_argument("--cases", default=",".join(CASES), help="some of these names")
    parser.add_argument("--out", type=Path, default=RESULTS / "gradients.json")
    options = parser.parse_args()
    use_processors(options.threads)
    results = head(options.threads, runs=options.runs) | {"cases": {}}
    for name in options.cases.split(","):
        with Peer(options.peer, climbs=True) as peer:
            record = compare(CASES[name], peer, options)
        results["cases"][name] = record
        rates = record["pairs_per_second"]
        print(
            f"{name:<17} ours {rates['ours']:>12,.1f}  peer {rates['peer']:>10,.2f} pairs/s  ratio "
            f"{record['ratio']:6.1f}  calls {record['calls']:.1f}, symmetric "
            f"{record['calls_symmetric']:.1f}  agreement {record['agreement']:.0e}",
            flush=True,
        )
        write_json(options.out, results)


if __name__ == "__main__":
    main()
