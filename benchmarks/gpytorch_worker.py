"""Runs in the environment of GPyTorch: reads requests as lines of JSON, answers one line each.

The same model and the same search as `regression_models.sklearn_process`: exact inference by
Cholesky's method in float64, L-BFGS from three length scales.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import gpytorch
import numpy as np
import torch
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import MaternKernel, RBFKernel, ScaleKernel
from scipy.optimize import minimize


class Process(gpytorch.models.ExactGP):
    """Constant mean, scaled stationary kernel."""

    def __init__(self, x: Any, y: Any, likelihood: Any, kind: str, length: float) -> None:
        super().__init__(x, y, likelihood)
        d = x.shape[1]
        shape = RBFKernel(ard_num_dims=d) if kind == "rbf" else MaternKernel(2.5, ard_num_dims=d)
        shape.lengthscale = length
        self.mean_module, self.covar_module = gpytorch.means.ConstantMean(), ScaleKernel(shape)
        self.covar_module.outputscale = 1.0

    def forward(self, x: Any) -> Any:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def made(x: Any, y: Any, kind: str, length: float) -> Process:
    likelihood = gpytorch.likelihoods.GaussianLikelihood(noise_constraint=GreaterThan(1e-6))
    likelihood.noise = 0.1
    return Process(x, y, likelihood, kind, length).double()


def descend(model: Process) -> tuple[float, int]:
    """At most 100 steps of L-BFGS in GPyTorch's own unbounded parameters (twice as many add 0.2 to
    the log likelihood of 455 rows); the log likelihood and the evaluations."""
    parameters, n = list(model.parameters()), len(model.train_targets)
    model.train()
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)

    def put(point: Any) -> None:
        torch.nn.utils.vector_to_parameters(torch.from_numpy(np.array(point)), parameters)

    def loss(point: Any) -> tuple[float, Any]:
        put(point)
        model.zero_grad()
        try:
            found = -objective(model(*model.train_inputs), model.train_targets)
            found.backward()
        except (gpytorch.utils.errors.NotPSDError, gpytorch.utils.errors.NanError):
            return 1e10, np.zeros(len(point))
        gradient = torch.cat([p.grad.reshape(-1) for p in parameters])
        return float(found.detach()), gradient.numpy().copy()

    start = torch.nn.utils.parameters_to_vector(parameters).detach().numpy().copy()
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100})
    put(found.x)
    return -float(found.fun) * n, int(found.nfev)


def fitted(kind: str, x: Any, y: Any, new: Any, rows: Any, lengths: list[float]) -> dict[str, Any]:
    tried, evaluations = [], 0
    for length in lengths:
        model = made(x[rows], y[rows], kind, length)
        value, count = descend(model)
        evaluations += count
        tried.append((value, length, model))
    value, length, model = max(tried, key=lambda each: each[0])
    model.set_train_data(x, y, strict=False)
    model.eval()
    with torch.no_grad():
        found = model.likelihood(model(new))
        mean, std = found.mean.numpy(), found.stddev.numpy()
    about = {"chosen": f"{length:.3g}", "likelihood": value, "evaluations": evaluations}
    return {"mean": mean, "std": std, **about}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "hello":
        torch.set_num_threads(request.get("threads", 1))
        return {"gpytorch": gpytorch.__version__, "torch": torch.__version__}
    with np.load(request["file"]) as data:
        x, y, new, rows = (torch.from_numpy(data[k]) for k in ("x", "y", "new", "rows"))
    start = time.process_time()
    exact = gpytorch.settings.fast_computations(False, False, False)
    with exact, gpytorch.settings.max_cholesky_size(10**6):
        found = fitted(request["kind"], x, y, new, rows, request["lengths"])
    found["seconds"] = time.process_time() - start
    np.savez(request["to"], mean=found.pop("mean"), std=found.pop("std"))
    return found


def main() -> None:
    for line in sys.stdin:
        try:
            found = answer(json.loads(line))
        except Exception as error:  # told to the other side, which goes on
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
