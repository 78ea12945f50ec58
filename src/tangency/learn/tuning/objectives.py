"""What a kernel matrix K is judged by, as differentiable functions of K and of the noise.

All take tensors of PyTorch in float64: K (n, n) or a `LowRank` that stands for it, targets (n, k)
whose columns have mean zero, and a noise. The prior of output j is s²K with noise of the variance
s²·noise; the amplitude s belongs to the output and is the best one, in closed form. So a target
times c adds -n log c to a log density, and multiplies an error by c²: whatever K is, no comparison
depends on the units of the targets.
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
_JITTER = 1e-9  # of the mean of K(s, s), added to K of the landmarks, which may be singular


class NotDefiniteError(InputError):
    """K + noise·I is singular to working precision, or indefinite: there is no density."""


@dataclass(frozen=True)
class LowRank:
    """F Fᵀ in the place of K: `factor` F (n, r), and the `diagonal` (n,) of K itself."""

    factor: Tensor
    diagonal_: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.factor), len(self.factor)

    def diagonal(self) -> Tensor:
        return self.diagonal_


def low_rank(columns: Tensor, landmarks: Tensor, diagonal: Tensor) -> LowRank:
    """K[:, S] (K[S, S] + ε I)⁻¹ K[S, :] of `columns` K[:, S] and K[S, S], ε for rounding."""
    import torch

    rounding = _JITTER * landmarks.diagonal().mean()
    eye = torch.eye(len(landmarks), dtype=landmarks.dtype, device=landmarks.device)
    factor, info = torch.linalg.cholesky_ex(landmarks + rounding * eye)
    if int(info) or not bool(torch.isfinite(columns.detach()).all()):
        raise NotDefiniteError("K of the landmarks is singular, or not finite; scale the inputs")
    solved = torch.linalg.solve_triangular(factor, columns.T, upper=False)
    return LowRank(solved.T, diagonal)


def log_marginal_likelihood(K: Tensor | LowRank, y: Tensor, noise: Any) -> Tensor:
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


def leave_one_out_error(K: Tensor | LowRank, y: Tensor, noise: Any) -> Tensor:
    """Mean squared error of each output, predicted for each sample from the others, (k,).

    With the mean of the others too, as `learn.loo.loo_residuals`: the same formula, differentiable.
    """
    return _solve(K, y, noise).left_out().square().mean(dim=0)


def predictive_density(K: Tensor | LowRank, y: Tensor, noise: Any) -> Tensor:
    """Sum over samples of the log density of each, predicted from the others, (k,).

    Sample i has the variance s²/gᵢ, noise included, with gᵢ = (G⁻¹)ᵢᵢ (Rasmussen and Williams 2006,
    equations 5.10 to 5.12). The best amplitude is s² = Σᵢ rᵢ² gᵢ / n with the residuals r, which
    leaves -n/2 log(2πe s²) + ½ Σᵢ log gᵢ. The uncertainty of the mean of the others is left out.
    """
    solved = _solve(K, y, noise)
    squares = solved.left_out_variances()
    return -0.5 * len(y) * (_LOG_2PI_E + squares.log()) + 0.5 * solved.inverse_diagonal.log().sum()


def amplitudes(K: Tensor | LowRank, y: Tensor, noise: Any, objective: str) -> Tensor:
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


def _solve(K: Any, y: Tensor, noise: Any) -> _Solved:
    import torch

    checked_targets(y)
    if tuple(K.shape) != (len(y), len(y)):
        raise InputError(f"K has shape {tuple(K.shape)}, but y has {len(y)} samples")
    if isinstance(K, LowRank):
        return _solve_low_rank(K.factor, y, noise)
    if not bool(torch.isfinite(K.detach()).all()):
        raise InputError("K has values that are not finite; scale the inputs down")
    eye = torch.eye(len(y), dtype=K.dtype, device=K.device)
    factor = _factor(K + noise * eye, noise)
    inverse = torch.linalg.solve_triangular(factor, eye, upper=False)
    return _Solved(
        y,
        inverse.T @ (inverse @ y),
        inverse.T @ inverse.sum(dim=1, keepdim=True),
        inverse.square().sum(dim=0)[:, None],
        2.0 * factor.diagonal().log().sum(),
    )


def _solve_low_rank(F: Tensor, y: Tensor, noise: Any) -> _Solved:
    """The same for F Fᵀ in the place of K: G⁻¹ = (I - F A⁻¹ Fᵀ)/noise with A = FᵀF + noise·I.

    Woodbury's identity, and |G| = |A| noise^(n-r): O(n r²).
    """
    import torch

    n, r = F.shape
    if not plain(noise) > 0:
        raise InputError("a low-rank K is singular without noise; give a noise above 0")
    noise = torch.as_tensor(noise, dtype=F.dtype, device=F.device)
    factor = _factor(F.T @ F + noise * torch.eye(r, dtype=F.dtype, device=F.device), noise)
    V = torch.linalg.solve_triangular(factor, F.T, upper=False)
    diagonal = (1.0 - V.square().sum(dim=0)[:, None]) / noise
    if not bool((diagonal.detach() > 0).all()):
        raise NotDefiniteError(_singular(noise, "a landmark"))
    return _Solved(
        y,
        (y - V.T @ (V @ y)) / noise,
        (1.0 - V.T @ V.sum(dim=1, keepdim=True)) / noise,
        diagonal,
        2.0 * factor.diagonal().log().sum() + (n - r) * noise.log(),
    )


def _factor(G: Tensor, noise: Any) -> Tensor:
    """The Cholesky factor of G, which has the noise on its diagonal."""
    import torch

    factor, info = torch.linalg.cholesky_ex(G)
    # A pivot that is only rounding would make a density out of nothing.
    rounding = len(G) * torch.finfo(G.dtype).eps * float(G.detach().diagonal().max())
    pivots = factor.detach().diagonal().square()
    if int(info) or not bool((pivots > rounding).all()):
        place = int(info) or int(torch.argmin(pivots)) + 1
        raise NotDefiniteError(_singular(noise, f"sample {place} of {len(G)}"))
    return factor


def _singular(noise: Any, what: str) -> str:
    return (
        f"K + noise·I is singular to working precision at noise={plain(noise):.3g} ({what} "
        "says nothing that those before it do not); raise the noise, or drop samples that are "
        "copies of others"
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
        raise InputError("one sample is not enough to choose by; give at least two")
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
