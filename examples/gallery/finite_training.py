"""
A finite network in training
============================

The loss of one network of width 256, and how far its weights and its kernel move.
Needs PyTorch. The result is a ``Training``.
"""

from sklearn.datasets import load_digits

from tangency.finite import build, train

digits = load_digits()
x, y = digits.data[:60] / 16, (digits.target[:60] < 5) - 0.5
run = train(build("dense relu dense", width=256, input_shape=(64,)), x, y, steps=100)
figure = run.plot()
print(run.summary)
