"""The tables of benchmarks/NOTES.md, from the JSON that the benchmarks write."""

from __future__ import annotations

from typing import Any

CHECKS = {
    "float64_speed": "speed in float64 / float32",
    "symmetric_time": "time of a symmetric call / a general one",
    "threads_speed": "speed of two threads / one",
    "rbf_time": "time / scikit-learn's rbf_kernel",
}


def markdown(results: dict[str, Any]) -> str:
    """All of a run of peers.py: on what it ran, the table of cases, the table of checks."""
    parts = [about(results), case_table(results["cases"])]
    if "checks" in results:
        parts.append(check_table(results["checks"]))
    return "\n\n".join(parts)


def about(results: dict[str, Any]) -> str:
    machine, peer = results["machine"], results.get("peer_versions", {})
    versions = results["versions"]
    ours = ", ".join(f"{name} {number}" for name, number in versions.items())
    theirs = ", ".join(f"{name} {number}" for name, number in peer.items() if name != "devices")
    text = (
        f"{machine['processor']}, {machine['threads']} of {machine['processors']} processors, "
        f"{machine['memory_gb']} GB, {machine['system']}; {machine['date']}; load before the start "
        f"{machine['load_before']}. {ours}."
    )
    text += f" Vectors: {machine['vectors']}." if "vectors" in machine else ""
    text += f" BLAS: {machine['blas']}." if "blas" in machine else ""
    text += f" Peer: {theirs}." if theirs else ""
    runs = results["settings"]["runs"]
    return f"{text} {f'Medians of {runs} interleaved runs.' if runs > 1 else 'One run.'}"


def case_table(cases: dict[str, Any]) -> str:
    rows = [
        "| case | network | input | Tangency, pairs/s | neural-tangents, pairs/s (block) | ratio "
        "| at least | aim | values agree to |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, case in cases.items():
        rates, shape = case["pairs_per_second"], "×".join(map(str, case["shape"]))
        network = _code(case["net"])
        if case["peer_net"] != case["net"]:
            network += f"; peer: {_code(case['peer_net'])}"
        aim = "" if case["aim"] is None else _target(case["aim"], case["meets_aim"])
        rows.append(
            f"| {name} | {network} | {shape} | {_number(rates['ours'])} "
            f"| {_number(rates['peer'])} ({case['peer_block']}) | {_number(case['ratio'])}× "
            f"| {_target(case['at_least'], case['meets_at_least'])} | {aim} "
            f"| {case['agreement']:.0e} |"
        )
    return "\n".join(rows)


def check_table(checks: dict[str, Any]) -> str:
    rows = ["| | case | n | ratio | bound |", "|---|---|---:|---:|---|"]
    for key, cases in checks.items():
        for name, record in cases.items():
            met = "met" if record["met"] else "missed"
            rows.append(
                f"| {CHECKS[key]} | {name} | {record['n']:,} | {record['ratio']:.2f} "
                f"| {record['bound']}: {met} |"
            )
    return "\n".join(rows)


def _code(text: str) -> str:
    """Code in a cell, where a bar would end it."""
    return "`" + text.replace("|", "\\|") + "`"


def _target(value: float, met: bool) -> str:
    return f"{value:g}×: {'met' if met else 'missed'}"


def _number(value: float) -> str:
    """Three digits that count."""
    if value >= 1000:
        digits = max(0, len(str(int(value))) - 3)
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"
