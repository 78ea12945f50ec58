"""
Eigenvalues on the sphere
=========================

How fast the eigenvalues of a dense network's two kernels fall with the degree.
"""

import tangency as tg

net = "dense relu dense"
kernels = {"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}
figure = tg.bias.spectrum(kernels, dim=10, degree=200).plot()
