"""
Eigenvalues on data
===================

Eigenvalues of the kernel matrix divided by the number of inputs, for both kernels of
a convolutional network on images of digits. The result is an ``EmpiricalComparison``.
"""

from sklearn.datasets import load_digits

import tangency as tg

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target

kernels = tg.kernels.both_kernels("conv3 relu avg2 conv3 relu flatten dense")
found = tg.bias.empirical_spectrum(kernels, images[:300])
figure = found.plot()
print(found.summary)
