"""
Are probabilities true?
=======================

How often a classifier is right, against how sure it says that it is. The result is a
``ClassCalibration``.
"""

from sklearn.datasets import load_digits

import tangency as tg

x, y = load_digits(return_X_y=True)
models = {
    "NTK": tg.KernelClassifier(tg.NTK("dense relu dense")).fit(x[:400] / 16, y[:400]),
    "last-layer": tg.KernelClassifier(tg.NNGP("dense relu dense")).fit(
        x[:400] / 16, y[:400]
    ),
}
found = tg.learn.calibration(models, x[400:] / 16, y[400:])
figure = found.plot()
print(found.reading)
print(found.summary)
