"""
The best of many networks
=========================

Leave-one-out errors of 16 kernels on more and more samples, the worse ones dropped
early. The result is a ``Searched``.
"""

import numpy as np

import tangency as tg

random = np.random.default_rng(1)
x = random.standard_normal((400, 3))
y = np.sin(2 * x[:, 0] + 1) * x[:, 1] + 0.1 * random.standard_normal(400)
found = tg.search("{dense:b={0 | 1} {relu | erf}}*1..2 dense", x, y, kind="both")
figure = found.plot()
print(found.reading)
print(found.summary)
