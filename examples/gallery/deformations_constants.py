"""
Constants of stability
======================

The constants of the paper's bound, fitted to seven kinds of deformation of several
sizes. The result is a ``StabilityConstants``.
"""

from sklearn.datasets import load_digits

import tangency as tg

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target

net = "conv3 relu gauss2 conv3 relu gauss2 flatten dense"
found = tg.bias.stability_constants(net, images[:4])
figure = found.plot()
print(found.summary)
