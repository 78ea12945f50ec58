"""The other side of peers.py: neural-tangents in an interpreter of its own.

Reads one JSON object a line from stdin and answers with one a line on stdout:

    {"do": "hello"}                                    versions
    {"do": "load", "net": [...], "x": PATH, "y": PATH or null, "masked": NUMBER or null}
                                                       builds the kernel function; masked: what
                                                       stands at masked positions
    {"do": "values", "n": 3, "to": PATH}               writes (nngp, ntk) of the first n inputs
    {"do": "slopes", "n": 3, "to": PATH}               writes the gradient in the first n inputs of
                                                       the sum of all values of both kernels
    {"do": "run", "block": 4, "repeats": 1}            seconds for so many blocks of 4 × 4 pairs;
                                                       without y: the whole matrix of x, through
                                                       nt.batch where block is not the size of x
    {"do": "climb", "block": 4, "repeats": 1}          the same for that gradient

Networks are those of cases.as_lists. The activations of neural-tangents are not normalised, so
the weights behind a ReLU have a standard deviation of √2.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import resource
import sys
import time
from functools import partial
from typing import Any

# The protocol keeps the real stdout; whatever libraries print goes to stderr.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax  # noqa: E402
import neural_tangents as nt  # noqa: E402
import numpy as np  # noqa: E402
from neural_tangents import stax  # noqa: E402

BOTH = ("nngp", "ntk")


class Builder:
    """Turns nested lists into stax layers; remembers whether a ReLU awaits its weights."""

    def __init__(self, axes: int) -> None:
        self.axes, self.behind_relu = axes, False

    def weight(self, std: float = 1.0) -> float:
        std *= 2**0.5 if self.behind_relu else 1.0
        self.behind_relu = False
        return std

    def serial(self, layers: list[Any]) -> Any:
        return stax.serial(*[self.layer(*layer) for layer in layers])

    def layer(self, kind: str, *options: Any) -> Any:
        if kind == "dense":
            return stax.Dense(1, W_std=self.weight(*options))
        if kind in ("conv", "convt"):
            patch, stride, padding, std = options
            size, step = (patch,) * self.axes, (stride,) * self.axes
            make = stax.Conv if kind == "conv" else stax.ConvTranspose
            layout = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC")}[self.axes]
            std = self.weight(std)
            return make(1, size, step, padding=padding.upper(), W_std=std, dimension_numbers=layout)
        if kind == "layernorm":
            return stax.LayerNorm()
        if kind == "attention":
            return stax.GlobalSelfAttention(1, 1, 1, 1, W_key_std=1, W_query_std=1, W_value_std=1)
        if kind == "raw relu":
            return stax.Relu()
        if kind == "raw tanh":
            return stax.ElementwiseNumerical(jax.numpy.tanh, deg=40)
        if kind in ("sum", "cat"):
            assert not self.behind_relu, "all branches would need the factor"
            branches = [self.serial(branch) if branch else stax.Identity() for branch in options[0]]
            joined = stax.FanInSum() if kind == "sum" else stax.FanInConcat(-1)
            return stax.serial(stax.FanOut(len(branches)), stax.parallel(*branches), joined)
        if kind == "relu":
            self.behind_relu = True
            return stax.Relu()
        if kind == "avg":
            size = (options[0], options[0])
            return stax.AvgPool(size, size, padding="VALID")
        if kind == "gap":
            return stax.GlobalAvgPool()
        if kind == "flatten":
            return stax.Flatten()
        if kind == "res":
            return self.residual(*options)
        raise ValueError(f"no layer {kind!r}")

    def residual(self, body: list[Any], shortcut: list[Any]) -> Any:
        assert not self.behind_relu, "both branches would need the factor"
        branches = [self.serial(body)]
        assert not self.behind_relu, "the factor would be needed behind the sum"
        branches.append(self.serial(shortcut) if shortcut else stax.Identity())
        return stax.serial(stax.FanOut(2), stax.parallel(*branches), stax.FanInSum())


class Worker:
    """One case at a time."""

    def hello(self) -> dict[str, Any]:
        return {
            "neural-tangents": nt.__version__,
            "jax": jax.__version__,
            "python": platform.python_version(),
            "devices": str(jax.devices()),
        }

    def load(self, net: list[Any], x: str, y: str | None, masked: float | None) -> dict[str, Any]:
        jax.clear_caches()
        gc.collect()
        self.x = np.load(x)
        self.y = None if y is None else np.load(y)
        self.kernel = Builder(self.x.ndim - 2).serial(net)[2]
        if masked is not None:
            self.kernel = partial(self.kernel, mask_constant=masked)
        self.blocks = jax.jit(lambda a, b: tuple(self.kernel(a, b, BOTH)))
        self.slope = jax.jit(jax.grad(lambda a, b: sum(k.sum() for k in self.kernel(a, b, BOTH))))
        self.whole: dict[int, Any] = {}
        return {}

    def slopes(self, n: int, to: str) -> dict[str, Any]:
        np.save(to, np.asarray(self.slope(self.x[:n], self.y[:n])))
        return {}

    def climb(self, block: int, repeats: int) -> dict[str, Any]:
        start = time.perf_counter()
        for _ in range(repeats):
            jax.block_until_ready(self.slope(self.x[:block], self.y[:block]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"seconds": time.perf_counter() - start, "peak_bytes": peak}

    def values(self, n: int, to: str) -> dict[str, Any]:
        other = None if self.y is None else self.y[:n]
        np.save(to, np.stack([np.asarray(k) for k in self.blocks(self.x[:n], other)]))
        return {}

    def run(self, block: int, repeats: int) -> dict[str, Any]:
        call = self.on_blocks if self.y is not None else self.on_all
        start = time.perf_counter()
        for _ in range(repeats):
            call(block)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"seconds": time.perf_counter() - start, "peak_bytes": peak}

    def on_blocks(self, block: int) -> None:
        jax.block_until_ready(self.blocks(self.x[:block], self.y[:block]))

    def on_all(self, block: int) -> None:
        if block == len(self.x):
            jax.block_until_ready(self.blocks(self.x, None))
            return
        if block not in self.whole:
            self.whole[block] = nt.batch(self.kernel, batch_size=block, device_count=0)
        jax.block_until_ready(tuple(self.whole[block](self.x, None, BOTH)))


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
