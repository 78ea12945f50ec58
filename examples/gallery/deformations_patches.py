"""
Patches against pooling
=======================

The paper's bound holds for patches that are not large against the pooling below them;
layers that break this are shown. The result is a ``PatchCondition``.
"""

import tangency as tg

found = tg.bias.patch_condition(
    "conv3 relu gauss2 conv7 relu gauss2 flatten dense", (28, 28, 1)
)
figure = found.plot()
print(found.summary)
