"""What a kernel matrix K is judged by, as differentiable functions of K and of the noise.

All take tensors of PyTorch in float64: K (n, n), targets (n, k) whose columns have mean zero, and a
noise. The prior of output j is s²K with noise of the variance s²·noise; the amplitude s belongs to
the output and is the best one, in closed form. So a target times c adds -n log c to a log density,
and multiplies an error by c²: whatever K is, no comparison depends on the units of the targets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...nets.values import plain

if TYPE_CHECKING:
    from torch import Tensor

_LOG_2PI_E = math.log(2.0 * math.pi * math.e)


class NotDefiniteError(InputError):
    """K + noise·I is singular to working precision, or indefinite: there is no density."""


def log_marginal_likelihood(K: Tensor, y: Tensor, noise: Any) -> Tensor:
    """Log density of each output under its prior, (k,).

    -n/2 log(2πe s²) - ½ log|G| with G = K + noise·I and s² = yᵀG⁻¹y/n, the amplitude of greatest
    likelihood (Rasmussen and Williams 2006, section 5.4.1, with the derivative for s² set to zero).

    Raises:
        NotDefiniteError: G has no Cholesky factor. InputError: see `checked_targets`.

    >>> import torch
    >>> K, y = torch.eye(2, dtype=torch.float64), torch.tensor([[1.0], [-1.0]]).double()
    >>> log_marginal_likelihood(K, y, 1.0).round(decimals=4)  # s² = ½: two densities N(±1; 0, 1)
    tensor([-2.8379], dtype=torch.float64)
    """
    solved = _solve(K, y, noise)
    return -0.5 * (len(y) * (_LOG_2PI_E + solved.variances().log()) + solved.log_det)


def leave_one_out_error(K: Tensor, y: Tensor, noise: Any) -> Tensor:
    """Mean squared error of each output, predicted for each sample from the others, (k,).

    With the mean of the others too, as `learn.loo.loo_residuals`: the same formula, differentiable.
    """
    return _solve(K, y, noise).left_out().square().mean(dim=0)


def predictive_density(K: Tensor, y: Tensor, noise: Any) -> Tensor:
    """Sum over samples of the log density of each, predicted from the others, (k,).

    Sample i has the variance s²/gᵢ, noise included, with gᵢ = (G⁻¹)ᵢᵢ (Rasmussen and Williams 2006,
    equations 5.10 to 5.12). The best amplitude is s² = Σᵢ rᵢ² gᵢ / n with the residuals r, which
    leaves -n/2 log(2πe s²) + ½ Σᵢ log gᵢ. The uncertainty of the mean of the others is left out.
    """
    solved = _solve(K, y, noise)
    squares = solved.left_out_variances()
    return -0.5 * len(y) * (_LOG_2PI_E + squares.log()) + 0.5 * solved.inverse_diagonal.log().sum()


def amplitudes(K: Tensor, y: Tensor, noise: Any, objective: str) -> Tensor:
    """s of each output, (k,): of greatest likelihood, or of greatest predictive density.

    A squared error says nothing of s; it goes with that of the predictive density.
    """
    solved = _solve(K, y, noise)
    if objective == "marginal_likelihood":
        return solved.variances().sqrt()
    return solved.left_out_variances().sqrt()


@dataclass(frozen=True)
class _Solved:
    """G⁻¹y (n, k), (G⁻¹1)ᵢ and (G⁻¹)ᵢᵢ, both (n, 1), and log|G|."""

    y: Tensor
    dual: Tensor
    inverse_ones: Tensor
    inverse_diagonal: Tensor
    log_det: Tensor

    def variances(self) -> Tensor:
        return (self.y * self.dual).mean(dim=0)

    def left_out(self) -> Tensor:
        """Residuals (n, k) of the fits without the sample itself; see `learn.loo.loo_residuals`."""
        shift = self.inverse_ones * self.y / (len(self.y) - 1)
        return (self.dual + shift) / self.inverse_diagonal

    def left_out_variances(self) -> Tensor:
        return (self.left_out().square() * self.inverse_diagonal).mean(dim=0)


def _solve(K: Tensor, y: Tensor, noise: Any) -> _Solved:
    import torch

    checked_targets(y)
    if K.shape != (len(y), len(y)):
        raise InputError(f"K has shape {tuple(K.shape)}, but y has {len(y)} samples")
    if not bool(torch.isfinite(K.detach()).all()):
        raise InputError("K has values that are not finite; scale the inputs down")
    eye = torch.eye(len(y), dtype=K.dtype, device=K.device)
    G = K + noise * eye
    factor, info = torch.linalg.cholesky_ex(G)
    # A pivot that is only rounding would make a density out of nothing.
    rounding = len(y) * torch.finfo(G.dtype).eps * float(G.detach().diagonal().max())
    pivots = factor.detach().diagonal().square()
    if int(info) or not bool((pivots > rounding).all()):
        place = int(info) or int(torch.argmin(pivots)) + 1
        raise NotDefiniteError(
            f"K + noise·I is singular to working precision at noise={plain(noise):.3g} (sample "
            f"{place} of {len(y)} says nothing that those before it do not); raise the noise, or "
            "drop samples that are copies of others"
        )
    inverse = torch.linalg.solve_triangular(factor, eye, upper=False)
    return _Solved(
        y,
        inverse.T @ (inverse @ y),
        inverse.T @ inverse.sum(dim=1, keepdim=True),
        inverse.square().sum(dim=0)[:, None],
        2.0 * factor.diagonal().log().sum(),
    )


def checked_targets(y: Tensor) -> None:
    """Refuse targets that nothing can be chosen by.

    Raises:
        InputError: other than (n, k) in float64, fewer than two samples, NaN or infinity, an output
            that does not vary, or one whose mean is not zero.
    """
    import torch

    if y.ndim != 2 or y.dtype != torch.float64:
        raise InputError(f"y must be (n, k) in float64, got {tuple(y.shape)} in {y.dtype}")
    if len(y) < 2:
        raise InputError("one sample leaves nothing to choose by; give at least two")
    y = y.detach()
    if not bool(torch.isfinite(y).all()):
        raise InputError("y has values that are not finite; drop these samples")
    largest = y.abs().amax(dim=0)
    if bool((largest == 0).any()):
        raise InputError(
            f"output {int(torch.argmin(largest)) + 1} of y does not vary, so that any kernel "
            "explains it; leave it out"
        )
    if bool((y.mean(dim=0).abs() > 1e-6 * largest).any()):
        raise InputError("y must be centred; subtract its mean, y - y.mean(axis=0)")


OBJECTIVES = {
    "marginal_likelihood": log_marginal_likelihood,
    "leave_one_out": leave_one_out_error,
    "predictive_density": predictive_density,
}
"""By the names that `tune` knows."""
