"""
Norms of interpolants on data
=============================

The least norm of a function through n samples, for true labels: the slower it grows
with n, the better the kernel suits the data. The result is an ``InterpolationNorms``.
"""

from sklearn.datasets import load_digits

import tangency as tg

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target

signs = 2.0 * (labels % 2) - 1
found = tg.bias.interpolation_norms(
    "flatten dense relu dense", images[:600], signs[:600], draws=3
)
figure = found.plot()
print(found.summary)
