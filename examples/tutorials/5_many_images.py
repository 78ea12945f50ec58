"""
Many images, with features
==========================

An exact kernel takes all pairs of images, and a convolutional one all pairs of pixels
of each. For more than a few thousand images use **features**: numbers φ(x) for each
image whose inner products approximate the kernel. Their cost grows in proportion to
the number of images. Here they are used on 1,797 small images, so that the exact
kernel can be compared; the same lines work for 50,000.
"""

# %%
# One argument
# ------------
# ``solver="features"`` of the estimators fits the features, computes them once for each
# image, and solves for all values of alpha. ``widths`` are the numbers of landmarks at
# each activation, ``n_components`` is the largest number of features.

from sklearn.datasets import load_digits

import tangency as tg
from tangency.learn import Features

digits = load_digits()
images, labels = digits.images[..., None].astype("float32") / 16, digits.target
x, y, x_test, y_test = images[:600], labels[:600], images[600:900], labels[600:900]
net = "conv3 relu conv3 relu gap dense"

model = tg.KernelClassifier(net, solver=Features(500, widths=(32, 128))).fit(x, y)
print(f"leave-one-out {model.loo_score_:.3f}, test {model.score(x_test, y_test):.3f}")
print(f"{model.features_.size} features, error {model.features_.error_:.4f}")

# %%
# ``error_`` is the relative error of the kernel on held-out images. It is a weak guide,
# because the largest direction holds most of a kernel. Go by the leave-one-out
# accuracy: raise the widths until it no longer changes.

accuracies, widths = [], (4, 8, 16, 32, 64)
for width in widths:
    found = tg.KernelClassifier(
        net, solver=Features(4 * width, widths=(width, 4 * width))
    ).fit(x, y)
    accuracies.append((found.loo_score_, found.score(x_test, y_test)))
    print(f"widths {width:3} and {4 * width:3}: leave-one-out {accuracies[-1][0]:.3f}")

# %%
# The exact kernel on the same images (in float64, as it works best with an alpha that
# float32 cannot resolve):

exact = tg.KernelClassifier(net).fit(x.astype(float), y)
print(f"leave-one-out {exact.loo_score_:.3f}")

# %%
from matplotlib.figure import Figure

figure = Figure(figsize=(6, 3.6), layout="constrained")
axes = figure.subplots()
for name, values in zip(
    ("leave-one-out", "test"), zip(*accuracies, strict=True), strict=True
):
    axes.semilogx(widths, values, "o-", label=f"features, {name}")
axes.axhline(
    exact.loo_score_, color="grey", linestyle="--", label="exact kernel, leave-one-out"
)
axes.set(
    xlabel="landmarks in the first layer",
    ylabel="accuracy",
    title="More landmarks, until it no longer helps",
)
axes.legend()

# %%
# Data that do not fit in memory
# ------------------------------
# ``partial_fit`` keeps sums only, so images may come in batches. It takes one number
# as alpha.

batches = tg.KernelClassifier(
    net, alpha=model.alpha_, solver=Features(500, widths=(32, 128))
)
for start in range(0, 600, 200):
    batches.partial_fit(
        x[start : start + 200], y[start : start + 200], classes=range(10)
    )
batches.score(x_test, y_test)

# %%
# Or ``X`` is a memory map, or an array of Zarr or HDF5, and ``store="F.zarr"`` keeps
# the features on disk: a run that was stopped goes on where it was.
#
# All 50,000 training images of CIFAR-10, on two cores: a network of two layers with
# Gaussian pooling had 78.0 % on the 10,000 test images after 57 minutes, with 8,192
# features. MNIST, 60,000 images: 99.3 % after about an hour. The networks, widths and
# times are on :doc:`/features`, and ``benchmarks/images.py`` repeats them.
