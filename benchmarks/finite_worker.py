"""The other side of finite.py: neural-tangents' three ways to an empirical NTK.

Reads one JSON object a line from stdin and answers with one a line on stdout:

    {"do": "hello"}                                              versions
    {"do": "load", "layers": [...], "arrays": PATH}              the network, "x" and its weights
    {"do": "values", "way": 1, "n": 4, "to": PATH}               the kernel of the first n inputs
    {"do": "run", "way": 1}                                      seconds, and the peak of memory

`way` is 1 (products of Jacobians), 2 (NTK-vector products) or 3 (structured derivatives).
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import neural_tangents as nt  # noqa: E402
import numpy as np  # noqa: E402


def network(layers: list[list[Any]]) -> Any:
    """f(weights, x) for inputs with the channels first."""

    def apply(weights: dict[str, Any], x: Any) -> Any:
        for index, (kind, *sizes) in enumerate(layers):
            if kind == "relu":
                x = jnp.maximum(x, 0)
            elif kind == "gap":
                x = x.mean((2, 3))
            elif kind == "dense":
                x = x @ weights[f"{index}.weight"].T + weights[f"{index}.bias"]
            else:
                strides = (sizes[2], sizes[2])
                weight = weights[f"{index}.weight"]
                x = jax.lax.conv_general_dilated(x, weight, strides, ((1, 1), (1, 1)))
                x = x + weights[f"{index}.bias"][:, None, None]
        return x

    return apply


class Worker:
    """One network at a time."""

    def hello(self) -> dict[str, Any]:
        return {
            "neural-tangents": nt.__version__,
            "jax": jax.__version__,
            "python": platform.python_version(),
        }

    def load(self, layers: list[list[Any]], arrays: str) -> dict[str, Any]:
        found = dict(np.load(arrays))
        self.x = found.pop("x")
        self.weights = {name: jnp.asarray(value) for name, value in found.items()}
        self.apply = network(layers)
        self.ways: dict[int, Any] = {}
        return {}

    def kernel(self, way: int, x: Any) -> Any:
        if way not in self.ways:
            function = nt.empirical_ntk_fn(
                self.apply, trace_axes=(-1,), vmap_axes=0, implementation=way
            )
            self.ways[way] = jax.jit(lambda x, weights: function(x, None, weights))
        return jax.block_until_ready(self.ways[way](x, self.weights))

    def values(self, way: int, n: int, to: str) -> dict[str, Any]:
        np.save(to, np.asarray(self.kernel(way, self.x[:n])))
        return {"peak_bytes": peak_bytes()}

    def run(self, way: int) -> dict[str, Any]:
        start = time.perf_counter()
        self.kernel(way, self.x)
        return {"seconds": time.perf_counter() - start, "peak_bytes": peak_bytes()}


def peak_bytes() -> int:
    """The most memory that this process has had."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
        ANSWERS.write(json.dumps(answer) + "\n")
        ANSWERS.flush()


if __name__ == "__main__":
    main()
