"""
A first kernel in five minutes
==============================

From a network written as text to its kernel matrix, a fitted classifier, and a file
to keep it in.

You need ``pip install .`` in a copy of the repository, and nothing else.
"""

# %%
# Data
# ----
# 1,797 images of handwritten digits, 8×8 pixels, come with scikit-learn. Images have
# the shape (n, height, width, channels): channels last, here one.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target
x, x_test, y, y_test = train_test_split(
    images, labels, train_size=300, test_size=200, random_state=0
)
x.shape, x_test.shape

# %%
# A network
# ---------
# ``conv3`` is a convolution with 3×3 patches, ``relu`` the activation, ``avg2`` the
# mean over 2×2 positions, ``flatten dense`` the last layer. Widths are infinite, so no
# layer has one. :doc:`/networks` lists all layers.

import tangency as tg

net = tg.parse("conv3 relu avg2 conv3 relu flatten dense")
net

# %%
# Its two kernels
# ---------------
# The **NTK** is the kernel of the network when gradient descent trains all its layers.
# The **last-layer kernel** (NNGP) is that of the same network when only the last layer
# is trained. Both are functions of two sets of images.

ntk, last_layer = tg.NTK(net), tg.NNGP(net)
ntk(x[:100]).shape, ntk(x[:100], x_test[:5]).shape

# %%
# ``explain`` says which engine computes a kernel, why, and what each layer costs for a
# pair of images:

print(tg.explain(net, x))

# %%
# What a kernel matrix looks like, with images of one digit side by side.
# ``normalize=True`` divides by the lengths of the features, so that an entry is a
# cosine: images of one class are more similar than others.

import numpy as np
from matplotlib.figure import Figure

order = np.argsort(y[:200], kind="stable")
figure = Figure(figsize=(9, 4), layout="constrained")
left, right = figure.subplots(1, 2)
for axes, kernel in (
    (left, tg.NTK(net, normalize=True)),
    (right, tg.NNGP(net, normalize=True)),
):
    drawn = axes.imshow(kernel(x[:200][order]))
    axes.set(title=type(kernel).__name__, xticks=[], yticks=[])
    figure.colorbar(drawn, ax=axes)

# %%
# Learning with it
# ----------------
# ``KernelClassifier`` follows scikit-learn's rules. ``alpha`` is the strength of the
# regularization; ``"loo"`` chooses it by leave-one-out errors, which have a closed
# form, so that no second fit is needed.

for kernel in (ntk, last_layer):
    model = tg.KernelClassifier(kernel, alpha="loo").fit(x, y)
    accuracy = model.score(x_test, y_test)
    print(f"{type(kernel).__name__}: alpha {model.alpha_:.2g}, accuracy {accuracy:.3f}")

# %%
# It predicts labels, and probabilities that are calibrated on the leave-one-out
# predictions:

(
    model.predict(x_test[:5]),
    y_test[:5],
    model.predict_proba(x_test[:5]).max(axis=1).round(2),
)

# %%
# Keeping it
# ----------
# A model is one file without pickle, so that reading it runs no code.

import tempfile
from pathlib import Path

from tangency.learn import load

with tempfile.TemporaryDirectory() as folder:
    model.save(Path(folder) / "digits.npz")
    again = load(Path(folder) / "digits.npz")
bool((again.predict(x_test[:20]) == model.predict(x_test[:20])).all())

# %%
# Where to go next: :ref:`classify a small data set
# <sphx_glr_tutorials_2_small_data.py>`, or use :ref:`your own PyTorch network
# <sphx_glr_tutorials_4_own_network.py>`.
