"""Speed beside neural-tangents and scikit-learn, in one interleaved run.

    python benchmarks/peers.py --peer PYTHON [--runs 5] [--cases NAME,...]
    python benchmarks/peers.py --markdown benchmarks/results/peers.json

PYTHON is an interpreter that has neural-tangents; benchmarks/NOTES.md says how to make one. Both
kernels (NNGP and NTK) are computed, in float32, on the same processors. Before a case is timed,
the values of both sides are compared. Then both sides run in turn, and medians are taken. The
peer gets the blocks with which it is fastest; `Peer.tuned` says which are tried.
The second form prints the tables of a finished run in Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from checks import checks
from measure import (
    RESULTS,
    gram_call,
    head,
    interleaved,
    large_enough,
    medians,
    printed,
    use_processors,
    write_json,
)
from peer_process import Peer, PeerError
from tables import markdown

import tangency as tg
from cases import CASES, Case, chosen

# Values of both sides, in float32, relative to the largest.
AGREEMENT = 1e-4
LANES = 64


def agreement(case: Case, peer: Peer) -> float:
    """The largest difference of both sides' values on three inputs, relative to the largest value.

    The peer divides by the channels of the input and its activations are not normalised; the
    worker puts factors of √2 on weights, and here the inputs are divided by √channels.
    """
    n = 3
    x, y = case.inputs(n, seed=1), case.inputs(n, seed=2)
    peer.load(case, x, y)
    pair = tg.gram(case.peer_network, case.given(x), case.given(y), engine=case.engine)
    ours, theirs = np.stack([pair.nngp, pair.ntk]), peer.values(n)
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if not error <= AGREEMENT:
        raise SystemExit(f"{case.name}: values differ by {error:.1e} of the largest; not timed")
    return error


def compare(case: Case, peer: Peer, options: argparse.Namespace) -> dict[str, Any]:
    """Times both sides of a case."""
    record: dict[str, Any] = {
        "net": case.net,
        "peer_net": case.peer_net or case.net,
        "shape": case.shape,
        "at_least": case.at_least,
        "aim": case.aim,
        "agreement": agreement(case, peer),
    }
    x = case.inputs(case.size or 256, seed=3)
    y = None if case.size else case.inputs(256, seed=4)
    peer.load(case, x, y)
    tuned = peer.tuned(case, options.longest, options.seconds)
    n = case.size or _size(case, options)
    ours_x = case.ours(n, seed=3)
    ours_y = None if case.size else case.ours(n, seed=4)
    ours = gram_call(case.network, ours_x, ours_y, n_jobs=options.threads, engine=case.engine)
    ours()
    times = interleaved(
        {"ours": ours, "peer": lambda: peer.run(tuned.block, tuned.repeats)["seconds"]},
        options.runs,
    )
    typical = medians(times)
    rate, peer_rate = n * n / typical["ours"], tuned.pairs / typical["peer"]
    return record | {
        "pairs": {"ours": n * n, "peer": tuned.pairs},
        "peer_block": tuned.block,
        "peer_blocks_tried": tuned.tried,
        "seconds": times,
        "pairs_per_second": {"ours": rate, "peer": peer_rate},
        "ratio": rate / peer_rate,
        "meets_at_least": rate / peer_rate >= case.at_least,
        "meets_aim": None if case.aim is None else rate / peer_rate >= case.aim,
    }


def _size(case: Case, options: argparse.Namespace) -> int:
    def run(n: int) -> Any:
        x, y = case.ours(n, seed=3), case.ours(n, seed=4)
        return tg.gram(case.network, x, y, engine=case.engine, n_jobs=options.threads)

    return large_enough(run, options.seconds, LANES, 4096)


def line(name: str, record: dict[str, Any]) -> str:
    rates = record["pairs_per_second"]
    aim = "" if record["aim"] is None else f", aim {record['aim']} {_met(record['meets_aim'])}"
    return (
        f"{name:<17} ours {rates['ours']:>12,.1f}  peer {rates['peer']:>12,.2f} pairs/s"
        f"  ratio {record['ratio']:7.1f}"
        f"  (at least {record['at_least']} {_met(record['meets_at_least'])}{aim};"
        f" agreement {record['agreement']:.0e})"
    )


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--peer", type=Path, help="an interpreter with neural-tangents")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each side (5)")
    parser.add_argument("--threads", type=int, default=2, help="processors for both sides (2)")
    parser.add_argument("--seconds", type=float, default=1.5, help="the least time of a run (1.5)")
    parser.add_argument("--longest", type=float, default=40, help="the most for a peer block (40)")
    parser.add_argument("--cases", help=f"some of {','.join(CASES)}")
    parser.add_argument("--no-checks", action="store_true", help="leave out the other checks")
    parser.add_argument("--out", type=Path, default=RESULTS / "peers.json")
    parser.add_argument("--markdown", type=Path, help="print the tables of these results")
    options = parser.parse_args()
    if printed(options, markdown):
        return
    if options.peer is None:
        parser.error("--peer or --markdown is needed")
    use_processors(options.threads)
    settings = {name: getattr(options, name) for name in ("runs", "seconds", "longest")}
    results = head(options.threads, **settings) | {"cases": {}}
    for case in chosen(options.cases):
        # A new process for each case: its peak of memory says what a larger block would take.
        try:
            with Peer(options.peer) as peer:
                results["peer_versions"] = peer.versions
                record = compare(case, peer, options)
        except PeerError as error:
            raise SystemExit(f"{case.name}: {error}") from error
        results["cases"][case.name] = record
        print(line(case.name, record), flush=True)
        write_json(options.out, results)
    if not options.no_checks:
        results["checks"] = checks(options.threads, options.runs, options.seconds)
        write_json(options.out, results)
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
