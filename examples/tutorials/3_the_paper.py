"""
The paper, statement by statement
=================================

A. Bietti and J. Mairal, *On the Inductive Bias of Neural Tangent Kernels* (NeurIPS
2019), prove which functions wide networks prefer. Here each statement is measured,
for the NTK (all layers trained) and the last-layer kernel. :doc:`/notation`
has every formula, with its function and its test.
"""

# %%
# Two kernels of one network
# --------------------------
# On the unit sphere the kernel of a dense network is a function κ of the cosine u of
# the angle between two inputs. With one hidden layer of ReLU the NTK is u·κ₀(u) +
# κ₁(u), and the last-layer kernel is κ₁.

import numpy as np

import tangency as tg

net = "dense relu dense"
kernels = {"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}
u = np.linspace(-1, 1, 5)
k0, k1 = tg.nets.kappa0(u), tg.nets.kappa1(u)
bool(np.allclose(tg.bias.sphere_kernel(tg.NTK(net))(u), u * k0 + k1))

# %%
# Smoothness: the NTK's features are not Lipschitz
# ------------------------------------------------
# ‖Φ(x) − Φ(y)‖ says how far two inputs are apart for the kernel. For the NTK of a ReLU
# network it is of the order of √‖x − y‖ for near inputs, and the ratio to ‖x − y‖ has
# no bound; for the last-layer kernel it is at most ‖x − y‖.

points = np.random.default_rng(0).normal(size=(8, 5))
smoothness = tg.bias.modulus(kernels, points)
figure = smoothness.plot()
print(smoothness.summary)

# %%
# Smooth activations make the features Lipschitz; the constant follows from three
# numbers γ₀, γ₁, γ₂ of the activation.

for activation in ("relu", "erf"):
    constant = tg.bias.lipschitz_constant(f"dense {activation} dense")
    print(
        f"{activation}: features of the NTK have the Lipschitz constant {constant:.3f}"
    )

# %%
# Eigenvalues: the NTK keeps more of the high frequencies (proposition 5)
# -----------------------------------------------------------------------
# κ has one eigenvalue μ_k for each degree k of spherical harmonics, which is a
# frequency. In p dimensions μ_k falls as k^−p for the NTK, and as k^−(p+2) for the
# last-layer kernel. All odd degrees from 3 on are exactly zero.

spectra = tg.bias.spectrum(kernels, dim=5, degree=300)
spectrum_figure = spectra.plot()
for name in kernels:
    fitted, theory = spectra[name].fit().steepest, spectra[name].law
    print(f"{name}: fitted power {fitted:.3f}, theory {theory:g}")

# %%
# Which functions lie in the space
# --------------------------------
# An even function with p/2 bounded derivatives has a finite norm for the NTK; the
# last-layer kernel asks for one derivative more. Tried on functions \|u\|^a of
# increasing smoothness:

condition = tg.bias.smoothness_condition(kernels, dim=5)
condition_figure = condition.plot()
print(condition.summary)

# %%
# How well others are approximated
# --------------------------------
# \|u\| lies in neither space. How near do functions of norm δ come to it? The NTK's
# error falls faster with δ.

approximation = tg.bias.approximation_curve("|u|", kernels, dim=5, degree=2000)
approximation_figure = approximation.plot()
print(approximation.summary)

# %%
# Deformations: the price of training all layers
# ----------------------------------------------
# An image is deformed by a field τ. Features of the last-layer kernel move in
# proportion to ‖∇τ‖, those of the NTK by √‖∇τ‖, which for small deformations is much
# more.

from sklearn.datasets import load_digits

digits = load_digits().images[:6, ..., None] / 16
conv = tg.parse("conv3 relu gauss2 conv3 relu gauss2 flatten dense")
stability = tg.bias.stability_curve(conv, digits, draws=3)
stability_figure = stability.plot()
print(stability.summary)

# %%
# So the NTK approximates more functions and is less stable; the last-layer kernel is
# smoother. Where theory and measurement differ in their setting:
# :doc:`/inductive-bias`.
