"""
How pooling changes stability
=============================

The same constants for several networks, here with more and more pooling. The result
is a ``StabilityTrends``.
"""

from sklearn.datasets import load_digits

import tangency as tg

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target

networks = {f"{s}": f"conv3 relu gauss{s}:stride=1 flatten dense" for s in (1, 2, 4)}
found = tg.bias.stability_trends(networks, images[:3], "the pooling scale")
figure = found.plot()
print(found.summary)
