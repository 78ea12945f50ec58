"""
A network's kernels, in three figures
=====================================

The kernel matrix of 200 digits, what is learnt from more and more of them, and how
the eigenvalues of both kernels fall: the figure of the :doc:`first page </index>`.
"""

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tangency as tg

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target
x, x_test, y, y_test = train_test_split(
    images, labels, train_size=480, test_size=400, random_state=0, stratify=labels
)
net = tg.parse("conv3 relu avg2 conv3 relu flatten dense")
kernels = {"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}
styles = {"NTK": ("#0072B2", "o-"), "last-layer": ("#D55E00", "s--")}

figure = Figure(figsize=(10.5, 3.5), layout="constrained")
matrix, curve, spectrum = figure.subplots(1, 3)
order = np.argsort(y[:200], kind="stable")
matrix.imshow(tg.NTK(net, normalize=True)(x[:200][order]))
matrix.set(title="A kernel: 200 digits by class", xticks=[], yticks=[])

sizes = [15, 30, 60, 120, 240, 480]
for name, kernel in kernels.items():
    models = (tg.KernelClassifier(kernel).fit(x[:n], y[:n]) for n in sizes)
    errors = [100 * (1 - model.score(x_test, y_test)) for model in models]
    curve.loglog(sizes, errors, styles[name][1], color=styles[name][0], label=name)
curve.set(title="Learning with it", xlabel="training images", ylabel="test error, %")
curve.set_xticks(sizes, [str(n) for n in sizes], minor=False)
curve.set_yticks([2, 5, 10, 20, 40], ["2", "5", "10", "20", "40"])
curve.minorticks_off()
curve.legend()

dense = {"NTK": tg.NTK("dense relu dense"), "last-layer": tg.NNGP("dense relu dense")}
found = tg.bias.spectrum(dense, dim=5, degree=100)
for name in dense:
    values = found[name].eigenvalues
    degrees = np.flatnonzero(values)
    spectrum.loglog(
        degrees[1:],
        values[degrees[1:]],
        styles[name][1],
        color=styles[name][0],
        ms=3,
        label=name,
    )
spectrum.set(title="What it prefers", xlabel="frequency", ylabel="eigenvalue")
spectrum.legend()
