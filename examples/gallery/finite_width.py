"""
Finite networks near their limit
================================

Networks of three widths beside their infinite limit: kernel, weights and functions
come nearer as the width grows. Needs PyTorch. The result is a ``LazyTraining``.
"""

from sklearn.datasets import load_digits

from tangency.finite import lazy_training

digits = load_digits()
x, y = digits.data / 16, (digits.target < 5) - 0.5
found = lazy_training(
    "dense relu dense",
    x[:20],
    y[:20],
    widths=(64, 256, 1024),
    seeds=2,
    X_test=x[30:50],
    steps=60,
)
figure = found.plot()
print(found.summary)
