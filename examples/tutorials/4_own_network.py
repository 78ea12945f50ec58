"""
Your own PyTorch network
========================

``from_torch`` reads a ``torch.nn.Module`` and gives the same network with infinitely
many channels, and so its kernels; you need not rewrite it. Needs ``pip install
"tangency[torch]"``.
"""

# %%
# A module
# --------
# A small residual network, written as usual.

import torch
from sklearn.datasets import load_digits
from torch import nn

import tangency as tg


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(x + self.body(x))
        return self.head(x.mean(dim=(2, 3)))


net = tg.from_torch(Net(), (1, 8, 8))
print(net.summary((8, 8, 1)))

# %%
# The second argument is the shape of one input as the module takes it, channels first.
# The standard deviations of weights and biases are read from the module as well. What
# has no limit is refused, and the message says what can stand for it:

try:
    tg.from_torch(nn.Sequential(nn.Conv2d(1, 8, 3), nn.MaxPool2d(2)), (1, 8, 8))
except tg.NetworkError as error:
    print(error)

# %%
# Learning with it
# ----------------
# Inputs of kernels have channels last.

digits = load_digits()
images, labels = digits.images[..., None] / 16, digits.target
model = tg.KernelClassifier(tg.NTK(net)).fit(images[:200], labels[:200])
model.score(images[200:400], labels[200:400])

# %%
# Is it the kernel of my module?
# ------------------------------
# The *empirical* kernel is that of the module at its present, finite width: inner
# products of its gradients. PyTorch's own scaling of weights is the standard
# parametrisation, hence ``standard=True``. The wider the module, the closer they are.

import numpy as np

from tangency.finite import empirical_ntk

x = torch.tensor(images[:3], dtype=torch.float32).movedim(-1, 1)
widths, errors = (32, 128, 512), []
for width in widths:
    limit = tg.NTK(tg.from_torch(Net(width), (1, 8, 8), standard=True))(images[:3])
    drawn = []
    for seed in range(4):
        torch.manual_seed(seed)
        finite = empirical_ntk(Net(width), x, outputs="trace").numpy()
        drawn.append(np.linalg.norm(finite - limit) / np.linalg.norm(limit))
    errors.append(np.mean(drawn))
    print(f"width {width:3}: relative difference {errors[-1]:.3f}")

# %%
from matplotlib.figure import Figure

figure = Figure(figsize=(6, 3.6), layout="constrained")
axes = figure.subplots()
axes.loglog(widths, errors, "o-", label="mean over four networks")
axes.loglog(
    widths,
    errors[0] * (np.array(widths) / widths[0]) ** -0.5,
    "--",
    label="width$^{-1/2}$",
)
axes.set(
    xlabel="width",
    ylabel="relative difference",
    title="Finite networks come near their kernel",
)
axes.set_xticks(widths, [str(width) for width in widths])
axes.minorticks_off()
axes.legend()

# %%
# What is read from a module, and what is not: :doc:`/from-torch`. How close networks
# in training are to the kernel: :doc:`/lazy-training`.
