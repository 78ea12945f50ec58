"""
What lies near an image, for several networks
=============================================

The same distances for networks with and without pooling. The result is a
``Geometries``.
"""

from sklearn.datasets import load_digits

import tangency as tg

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target

networks = {
    "no pooling": "conv3 relu flatten dense",
    "pooling 2": "conv3 relu gauss2 flatten dense",
    "pooling 4": "conv3 relu gauss4 flatten dense",
}
found = tg.bias.geometries(
    networks, images[:200], labels[:200], draws=2, count=4, others=30
)
figure = found.plot()
print(found.summary)
