"""
Stability to deformations
=========================

How far an image moves in feature space when smooth random fields deform it. The
result is a ``StabilityCurve``.
"""

from sklearn.datasets import load_digits

import tangency as tg

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target

net = "conv3 relu gauss2 conv3 relu gauss2 flatten dense"
found = tg.bias.stability_curve(net, images[:8], draws=3)
figure = found.plot()
print(found.reading)
print(found.summary)
