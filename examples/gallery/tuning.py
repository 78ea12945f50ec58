"""
Weights, biases and noise by the marginal likelihood
====================================================

The objective along each parameter that was chosen, the others at their best. Needs
PyTorch. The result is a ``Tuned``.
"""

import numpy as np

import tangency as tg

random = np.random.default_rng(0)
x = random.standard_normal((60, 3))
y = np.sin(2 * x[:, 0] + 1) + 0.3 * x[:, 1] + 0.1 * random.standard_normal(60)
found = tg.tune("dense:w=?,b=? erf dense", x, y, restarts=1)
figure = found.plot()
print(found.reading)
