"""
What lies near an image
=======================

Distances from a digit to its deformations and translations, beside those to its own
class and to others: the paper's figure. The result is a ``Geometry``.
"""

from sklearn.datasets import load_digits

import tangency as tg

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target

net = "conv3 relu gauss2 conv3 relu gauss2 flatten dense"
found = tg.bias.geometry(net, images[:300], labels[:300], draws=2, count=5, others=40)
figure = found.plot()
print(found.reading)
print(found.summary)
