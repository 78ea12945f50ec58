"""
Eigenvalues on the sphere
=========================

How fast a dense network's eigenvalues fall with the degree, its NTK beside its
last-layer kernel: the slower they fall, the more of the high frequencies a kernel
keeps. The result is a ``SpectrumComparison``.
"""

import tangency as tg

net = "dense relu dense"
kernels = {"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}
found = tg.bias.spectrum(kernels, dim=10, degree=300)
figure = found.plot()
print(found.reading)
print(found.summary)
