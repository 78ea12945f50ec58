"""
Kernels after each layer
========================

How similar inputs become inside a deep network. The result is a
``LayerKernels``.
"""

from sklearn.datasets import load_digits

import tangency as tg

x = load_digits().data[:60] / 16
found = tg.layer_kernels(tg.mlp(8), x)
figure = found.plot()
print(found.reading)
