"""What training all layers changes: eigenvalues and features of one network's two kernels."""

import numpy as np

import tangency as tg

net = tg.parse("dense relu dense relu dense")
kernels = {"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}
points = np.random.default_rng(0).normal(size=(16, 5))
spectra = tg.bias.spectrum(kernels, dim=5, degree=200)
smoothness = tg.bias.modulus(kernels, points)
for name in kernels:
    slope, theory = spectra[name].fit().steepest, spectra[name].law
    exponent = smoothness.exponents[name]
    print(f"{name}: eigenvalues fall as k^{slope:.2f} (theory k^{theory:g}),")
    print(f"    features of x and y are ‖x − y‖^{exponent:.2f} apart for small steps")
