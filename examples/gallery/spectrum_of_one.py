"""
Eigenvalues of one kernel
=========================

The same of a single kernel, here with a bias, which fills the odd degrees. The result
is a ``MercerSpectrum``.
"""

import tangency as tg

found = tg.bias.spectrum(tg.NTK("dense:b=0.5 relu dense"), dim=5, degree=200)
figure = found.plot()
print(found.summary)
