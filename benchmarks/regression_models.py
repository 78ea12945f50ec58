"""Gaussian processes with tuned hyper-parameters, for uci_regression.py: ours and scikit-learn's.

Each takes standardised inputs and targets of the training part, and gives means and standard
deviations, noise included, for new inputs. Each makes three descents of the log marginal
likelihood, on at most 500 rows: ours one for each of three networks, the others one from each of
three length scales. The process is that of all rows, with the numbers of the likeliest.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

import tangency as tg

#: Rows for the descents; the process is that of all.
ROWS = 500
NETWORKS = {
    "relu, one hidden layer": "dense:b=1 relu dense",
    "relu, two hidden layers": "dense:b=1 relu dense:b=0.1 relu dense",
    "erf, one hidden layer": "dense:b=1 erf dense",
}
#: Times √d, where the squared distance of standardised samples is 2 on average.
LENGTHS = (1.0, 3.0, 1 / 3)


def drawn(n: int) -> np.ndarray:
    """The rows for the descents."""
    return np.sort(np.random.default_rng(0).permutation(n)[:ROWS])


def network(kind: str, x: np.ndarray, y: np.ndarray, new: np.ndarray) -> dict[str, Any]:
    """The NNGP, or the NTK read as the covariance of a prior, of the likeliest of `NETWORKS`."""
    rows = drawn(len(x))
    found = {}
    for name, net in NETWORKS.items():
        try:
            found[name] = tuned(tg.parse(net), kind, x[rows], y[rows])
        except tg.InputError as error:  # singular from its start
            print(f"  {kind}, {name}: {error}")
    best = max(found, key=lambda name: found[name].value)
    one, scales = found[best], found[best].input_scales
    squared = float(one.amplitude) ** 2
    model = tg.GaussianProcess(squared * one.kernel, noise=squared * one.noise)
    mean, deviation = model.fit(x * scales, y).predict(new * scales, return_std=True)
    return {
        "mean": mean,
        "std": np.sqrt(deviation**2 + squared * one.noise),
        "chosen": best,
        "likelihood": one.value,
        "evaluations": sum(len(h) for each in found.values() for h in each.history),
    }


def tuned(net: Any, kind: str, x: np.ndarray, y: np.ndarray) -> Any:
    hidden = [f"{i}__bias_std" for i in range(0, len(net.layers) - 1, 2)]
    return tg.tune(net, x, y, kind=kind, free=hidden, input_scales=True, restarts=0)


def sklearn_process(kind: str, x: np.ndarray, y: np.ndarray, new: np.ndarray) -> dict[str, Any]:
    """scikit-learn's, with a length scale for each feature."""
    rows, dimensions = drawn(len(x)), x.shape[1]
    found = {}
    for factor in LENGTHS:
        lengths = factor * np.sqrt(dimensions) * np.ones(dimensions)
        shape = RBF(lengths, (1e-2, 1e4)) if kind == "rbf" else Matern(lengths, (1e-2, 1e4), nu=2.5)
        kernel = ConstantKernel(1.0, (1e-4, 1e4)) * shape + WhiteKernel(0.1, (1e-6, 1e1))
        found[factor] = GaussianProcessRegressor(kernel).fit(x[rows], y[rows])
    best = max(found, key=lambda name: found[name].log_marginal_likelihood_value_)
    model = found[best]
    likelihood = model.log_marginal_likelihood_value_
    if len(rows) < len(x):
        model = GaussianProcessRegressor(model.kernel_, optimizer=None).fit(x, y)
    mean, deviation = model.predict(new, return_std=True)
    return {
        "mean": mean,
        "std": deviation,
        "chosen": f"{best:.2g} √d",
        "likelihood": likelihood,
    }


def fitted(method: str, x: np.ndarray, y: np.ndarray, new: np.ndarray) -> dict[str, Any]:
    """By the name of a method: "tangency nngp", "sklearn rbf", …."""
    library, kind = method.split()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bounds that were reached, by either
        return {"tangency": network, "sklearn": sklearn_process}[library](kind, x, y, new)
