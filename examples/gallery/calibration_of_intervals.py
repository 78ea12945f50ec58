"""
Do intervals hold what they promise?
====================================

The share of new targets inside of intervals, against their level, for a Gaussian
process and for intervals by leaving out. The result is a ``RegressionCalibration``.
"""

import numpy as np

import tangency as tg

random = np.random.default_rng(0)
x = random.uniform(-2, 2, (600, 2))
y = np.sin(3 * x[:, 0]) * x[:, 1] + 0.2 * random.standard_t(2.5, 600)
net = "dense:b=1 erf dense"
models = {
    "NNGP": tg.GaussianProcess(net).fit(x[:200], y[:200]),
    "NTK, jackknife+": tg.KernelRegressor(net).fit(x[:200], y[:200]),
}
found = tg.learn.calibration(models, x[200:], y[200:])
figure = found.plot()
print(found.reading)
print(found.summary)
