"""
Uncertainty and tuning
======================

How sure is a prediction, and which weights, biases and noise suit the data? A wide
network before training is a Gaussian process, so both questions have answers in
closed form.
"""

# %%
# Data
# ----
# A function with a gap in which nothing was measured.

import numpy as np
from matplotlib.figure import Figure

import tangency as tg

random = np.random.default_rng(0)
x = np.concatenate([random.uniform(-3, -0.5, 20), random.uniform(1, 3, 20)])[:, None]
y = np.sin(2 * x[:, 0] + 1) + 0.1 * random.standard_normal(40)
grid = np.linspace(-4, 4, 200)[:, None]

# %%
# A Gaussian process
# ------------------
# ``GaussianProcess`` gives a mean and a standard deviation. The noise is chosen by the
# marginal likelihood.

net = "dense:b=1 erf dense"
gp = tg.GaussianProcess(net).fit(x, y)
print(
    f"noise {gp.noise_:.2g}, log marginal likelihood {gp.log_marginal_likelihood_:.1f}"
)

# %%
# ``inference="ensemble"`` is another model: networks drawn at random and trained by
# gradient descent in all their layers. Its spread is how much many trained networks
# would differ.

ensemble = tg.GaussianProcess(net, inference="ensemble", noise=1e-3).fit(x, y)


def draw(axes, model, title):
    """Mean, two standard deviations and the samples."""
    mean, std = model.predict(grid, return_std=True)
    axes.fill_between(grid[:, 0], mean - 2 * std, mean + 2 * std, alpha=0.25)
    axes.plot(grid[:, 0], mean, label="mean, ± 2 standard deviations")
    axes.plot(x[:, 0], y, "k.", label="samples")
    axes.set(title=title, ylim=(-4, 4))


figure = Figure(figsize=(10, 3.8), layout="constrained")
left, right = figure.subplots(1, 2)
draw(left, gp, "Bayesian network")
draw(right, ensemble, "Ensemble of trained networks")
left.legend(loc="upper left")

# %%
# Tuning
# ------
# In the text form of a network ``?`` marks a number to be chosen. ``tune`` follows
# gradients of the marginal likelihood (it needs ``tangency[torch]``), or of the
# leave-one-out error with ``objective="leave_one_out"``.

found = tg.tune("dense:w=?,b=? erf dense", x, y)
print(found.reading)
found.chosen

# %%
tuned_figure = found.plot()

# %%
# ``estimator()`` is a fitted model with these choices. It is surer in the gap only if
# the likelihood is higher:

tuned = found.estimator()
for name, process in (("before", gp), ("after", tuned)):
    print(
        f"log marginal likelihood {name} tuning: {process.log_marginal_likelihood_:.1f}"
    )
last = Figure(figsize=(6, 3.8), layout="constrained")
draw(last.subplots(), tuned, "After tuning")

# %%
# Probabilities
# -------------
# A classifier's probabilities are calibrated on leave-one-out predictions at the end of
# ``fit``. Does it know how often it is right?

from sklearn.datasets import load_digits

X, labels = load_digits(return_X_y=True)
model = tg.KernelClassifier("dense relu dense").fit(X[:500] / 16, labels[:500])
sure = model.predict_proba(X[500:] / 16).max(axis=1)
right = model.predict(X[500:] / 16) == labels[500:]
for low, high in ((0.0, 0.7), (0.7, 0.9), (0.9, 1.0)):
    those = (sure > low) & (sure <= high)
    says, is_right = sure[those].mean(), right[those].mean()
    print(f"says {says:.2f}: right {is_right:.2f} of {those.sum()} images")

# %%
# Intervals that hold
# -------------------
# ``predict_interval`` needs no prior: its intervals follow from how well each sample is
# predicted without it.

z = random.uniform(-3, 3, (600, 1))
t = np.sin(2 * z[:, 0] + 1) + 0.1 * random.standard_normal(600)
regressor = tg.KernelRegressor(net, alpha=0.01).fit(z[:200], t[:200])
lower, upper = regressor.predict_interval(z[200:], coverage=0.9)
held = (lower <= t[200:]) & (t[200:] <= upper)
print(f"90 % intervals hold {held.mean():.1%} of new targets")

# %%
# More: :doc:`/uncertainty`, :doc:`/learning` (Gaussian processes, probabilities),
# :doc:`/tuning`.
