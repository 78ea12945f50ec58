"""
The norm of one function
========================

Whether a function lies in the space of a kernel, and how much each degree adds to its
norm. The result is an ``RkhsNorm``.
"""

import tangency as tg
from tangency.bias import targets

found = tg.bias.rkhs_norm(targets.power(2.5), tg.NTK("dense relu dense"), dim=5)
figure = found.plot()
print(found.summary)
