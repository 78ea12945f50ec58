"""
Smoothness of the features
==========================

How far a small step of the input moves its features: by the root of the step for the
NTK of a ReLU network, in proportion for its last-layer kernel. The result is a
``Modulus``.
"""

import numpy as np

import tangency as tg

points = np.random.default_rng(0).normal(size=(12, 5))
found = tg.bias.modulus("dense relu dense", points)
figure = found.plot()
print(found.reading)
print(found.summary)
