"""Empirical NTKs beside torch.func and neural-tangents, and a residual network in little memory.

    python benchmarks/finite.py --peer PYTHON [--runs 5] [--cases dense,conv,resnet]
    python benchmarks/finite.py --markdown benchmarks/results/finite.json

PYTHON is an interpreter that has neural-tangents; benchmarks/NOTES.md says how to make one. The
kernel is (n, n), symmetric, of a network with one output, in float32. All sides have the same
weights and their values are compared before they are timed; then they run in turn, those that take
longer than `--longest` only once, compilation included. Peaks of memory
are those of processes of their own, above what the process has after a training step on two inputs
(neural-tangents: after a kernel of two inputs).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from finite_nets import CASES, FiniteCase, exported, resnet
from finite_ways import WAYS, peak_bytes
from measure import (
    RESULTS,
    head,
    interleaved,
    medians,
    printed,
    seconds,
    use_processors,
    write_json,
)
from peer_process import Peer, PeerError
from tables import about

WORKER = Path(__file__).parent / "finite_worker.py"
PEER_WAYS = {"nt Jacobian": 1, "nt NTK-vector products": 2, "nt structured derivatives": 3}
AGREEMENT = 1e-4
RESNET_BUDGET = 1_200_000_000


def compare(case: FiniteCase, peer: Peer, options: argparse.Namespace) -> dict[str, Any]:
    """Values, then times in turn, then peaks of memory."""
    module, x = case.module(), case.inputs(options.count or case.count)
    arrays = Path(peer.folder.name) / "arrays.npz"
    np.savez(arrays, x=x, **exported(module))
    peer.ask("load", layers=case.layers, arrays=str(arrays))
    agreement = _agreement(case, peer, module, torch.from_numpy(x[:4]))
    given = torch.from_numpy(x)
    calls: dict[str, Any] = {}
    for name, way in WAYS.items():
        if name not in options.without:
            calls[name] = lambda way=way: seconds(lambda: way(module, given, case.chunk))
    for name, way in PEER_WAYS.items():
        if name not in options.without:
            calls[name] = lambda way=way: peer.ask("run", way=way)["seconds"]
    first = {name: call() for name, call in calls.items()}
    slow = {name: [taken] for name, taken in first.items() if taken > options.longest}
    calls = {name: call for name, call in calls.items() if name not in slow}
    times = interleaved(calls, options.runs) | slow
    typical = medians(times)
    best = min(value for name, value in typical.items() if name != "tangency")
    # A way that takes minutes does not take them once more for its memory.
    peaks = {name: _peak(case, name, len(x), options) for name in WAYS if name in calls}
    peaks |= {n: _peer_peak(case, way, x, options) for n, way in PEER_WAYS.items() if n in calls}
    jacobian = 4 * len(x) * sum(p.numel() for p in module.parameters())
    return {
        "net": case.words,
        "shape": case.shape,
        "count": len(x),
        "parameters": sum(p.numel() for p in module.parameters()),
        "agreement": agreement,
        "seconds": times,
        "ratio_to_best": best / typical["tangency"],
        "peak_bytes": peaks,
        "jacobian_bytes": jacobian,
    }


def _agreement(case: FiniteCase, peer: Peer, module: Any, x: torch.Tensor) -> float:
    """The largest difference between any two ways, relative to the largest value."""
    found = [way(module, x, case.chunk).numpy() for way in WAYS.values()]
    to = Path(peer.folder.name) / "values.npy"
    for way in PEER_WAYS.values():
        peer.ask("values", way=way, n=len(x), to=str(to))
        found.append(np.load(to))
    error = float(np.ptp(np.stack(found), axis=0).max() / np.abs(found[0]).max())
    if not error <= AGREEMENT:
        raise SystemExit(f"{case.name}: values differ by {error:.1e} of the largest; not timed")
    return error


def _peak(case: FiniteCase, way: str, count: int, options: argparse.Namespace) -> int:
    """Bytes above those of a training step on two inputs, in a process of its own."""
    command = [sys.executable, __file__, "--measure", way, "--cases", case.name]
    command += ["--count", str(count), "--threads", str(options.threads)]
    with tempfile.TemporaryFile("w+") as out:
        subprocess.run(command, stdout=out, check=True)
        out.seek(0)
        return int(out.read().split()[-1])


def _peer_peak(case: FiniteCase, way: int, x: np.ndarray, options: argparse.Namespace) -> int:
    """The same for one of the other side's ways, above a kernel of two inputs."""
    with Peer(options.peer, WORKER) as peer:
        arrays = Path(peer.folder.name) / "arrays.npz"
        np.savez(arrays, x=x, **exported(case.module()))
        peer.ask("load", layers=case.layers, arrays=str(arrays))
        to = str(Path(peer.folder.name) / "values.npy")
        before = peer.ask("values", way=way, n=2, to=to)["peak_bytes"]
        return peer.ask("run", way=way)["peak_bytes"] - before


def measure_peak(case: FiniteCase, way: str, count: int) -> int:
    module, x = case.module(), torch.from_numpy(case.inputs(count))
    # What PyTorch itself loads and sets up in a step of ordinary training does not count.
    module(x[:2]).sum().backward()
    module.zero_grad()
    before = peak_bytes()
    WAYS[way](module, x, case.chunk)
    return peak_bytes() - before


def measure_resnet(count: int) -> dict[str, Any]:
    """The residual network, alone in this process."""
    from tangency.finite import empirical_ntk

    module = resnet()
    x = torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    taken = seconds(lambda: empirical_ntk(module, x, max_memory=RESNET_BUDGET))
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "count": count,
        "max_memory": RESNET_BUDGET,
        "seconds": taken,
        "peak_bytes": peak_bytes(),
    }


def _resnet(options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", "resnet", "--threads", str(options.threads)]
    command += ["--count", str(options.count or 100)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def markdown(results: dict[str, Any]) -> str:
    lines = [about(results), ""]
    for name, found in results["cases"].items():
        if name == "resnet":
            continue
        typical, peaks = medians(found["seconds"]), found["peak_bytes"]
        lines += [
            f"`{found['net']}`, {found['parameters']:,} parameters, {found['count']} inputs of "
            f"{'×'.join(map(str, found['shape']))}; values agree to {found['agreement']:.0e}.",
            "",
            "| way | seconds | times ours | peak of memory |",
            "|---|---:|---:|---:|",
        ]
        for way, value in sorted(typical.items(), key=lambda item: item[1]):
            peak = f"{peaks[way] / 1e6:,.0f} MB" if way in peaks else ""
            lines.append(f"| {way} | {value:.3g} | {value / typical['tangency']:.2f} | {peak} |")
        lines += ["", f"A full Jacobian alone is {found['jacobian_bytes'] / 1e6:,.0f} MB.", ""]
    if found := results["cases"].get("resnet"):
        lines += [
            f"A residual network of {found['parameters']:,} parameters, {found['count']} images "
            f"3×64×64: {found['seconds']:.0f} seconds, at most {found['peak_bytes'] / 1e9:.2f} GB "
            "for the whole process.",
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--peer", type=Path, help="an interpreter with neural-tangents")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each side (5)")
    parser.add_argument("--threads", type=int, default=2, help="processors for all sides (2)")
    parser.add_argument("--longest", type=float, default=20, help="slower ways run once (20 s)")
    parser.add_argument("--count", type=int, help="inputs, in place of the cases' own numbers")
    parser.add_argument("--cases", default="dense,conv,resnet")
    parser.add_argument("--without", default="", help="ways to leave out, separated by commas")
    parser.add_argument("--out", type=Path, default=RESULTS / "finite.json")
    parser.add_argument("--markdown", type=Path, help="print the tables of these results")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if printed(options, markdown):
        return
    use_processors(options.threads)
    torch.set_num_threads(options.threads)
    if options.measure == "resnet":
        print(json.dumps(measure_resnet(options.count)))
        return
    if options.measure:
        print(measure_peak(CASES[options.cases], options.measure, options.count))
        return
    options.without = options.without.split(",")
    names = options.cases.split(",")
    if options.peer is None and names != ["resnet"]:
        parser.error("--peer or --markdown is needed")
    results = head(options.threads, "torch", runs=options.runs) | {"cases": {}}
    for name in names:
        if name == "resnet":
            results["cases"][name] = _resnet(options)
        else:
            try:
                with Peer(options.peer, WORKER) as peer:
                    results["peer_versions"] = peer.versions
                    results["cases"][name] = compare(CASES[name], peer, options)
            except PeerError as error:
                raise SystemExit(f"{name}: {error}") from error
        write_json(options.out, results)
    print(markdown(results))


if __name__ == "__main__":
    main()
