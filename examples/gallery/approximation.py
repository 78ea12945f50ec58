r"""
Approximation of a function outside the space
=============================================

How near functions of norm δ come to \|u\|, which lies in neither space. The result is
an ``ApproximationCurve``.
"""

import tangency as tg

found = tg.bias.approximation_curve("|u|", "dense relu dense", dim=5, degree=3000)
figure = found.plot()
print(found.reading)
print(found.summary)
