"""
Eigenvalues on data, beside theory
==================================

On uniform points of a sphere the eigenvalues of the matrix come in clusters around
those of theory. The result is an ``EmpiricalSpectrum``.
"""

import numpy as np

import tangency as tg

points = np.random.default_rng(0).normal(size=(800, 3))
points /= np.linalg.norm(points, axis=1, keepdims=True)
found = tg.bias.empirical_spectrum(tg.NTK("dense relu dense"), points)
figure = found.plot()
print(found.summary)
