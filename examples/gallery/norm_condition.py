r"""
How smooth must a function be?
==============================

Which of the functions \|u\|^a lie in the spaces of both kernels, beside what the
paper's sufficient condition asks for. The result is a ``SmoothnessCondition``.
"""

import tangency as tg

found = tg.bias.smoothness_condition("dense relu dense", dim=5)
figure = found.plot()
print(found.summary)
