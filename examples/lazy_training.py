"""Finite networks on digits, nearer and nearer to the kernel the wider they are."""

from sklearn.datasets import load_digits

from tangency.finite import lazy_training

digits = load_digits()
x, y = digits.data / 16, (digits.target < 5) - 0.5
x_test, x, y = x[40:80], x[:40], y[:40]
lazy = lazy_training(
    "dense relu dense", x, y, widths=(64, 256, 1024), seeds=5, X_test=x_test, steps=200
)
for name in ("fluctuation", "trained test", "linear test"):
    measure = lazy.measures[name]
    pairs = zip(measure.mean, measure.error, strict=True)
    values = ", ".join(f"{mean:.3f} ± {error:.3f}" for mean, error in pairs)
    print(f"{measure.name}: {values}; slope {measure.fit.exponent:.2f}")
