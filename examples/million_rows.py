"""Kernel regression on any number of rows: a linear model on Nyström features, block by block.

python examples/million_rows.py [rows]    (20,000 by default; a million takes some ten seconds)
"""

import sys

import numpy as np

import tangency as tg

BLOCK = 10_000
rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000


def samples(number: int) -> tuple[np.ndarray, np.ndarray]:
    """The block of this number: 10,000 inputs (n, 4) in float32, and targets with noise."""
    rng = np.random.default_rng(number)
    X = rng.standard_normal((BLOCK, 4), dtype=np.float32)
    return X, np.sin(2 * X[:, 0]) + np.abs(X[:, 1]) + 0.1 * rng.standard_normal(BLOCK)


features = tg.NystromFeatures(tg.NTK("dense:b=1 relu dense relu dense"), 300, random_state=0)
features.fit(samples(0)[0])
print(f"{len(features.components_)} landmarks, relative trace error {features.error_:.4f}")

# Ridge regression by its normal equations, which add up over blocks of rows.
size = len(features.components_)
products, moments = 1e-3 * np.eye(size), np.zeros(size)
for number in range(1, 1 + max(rows // BLOCK, 1)):
    X, y = samples(number)
    F = features.transform(X).astype(np.float64)
    products += F.T @ F
    moments += F.T @ y
weights = np.linalg.solve(products, moments)

X, y = samples(2**32)  # a block that no fit has seen
error = y - features.transform(X) @ weights
print(f"{number * BLOCK:,} rows: test R² {1 - error.var() / y.var():.3f} (noise alone: ", end="")
print(f"{1 - 0.01 / y.var():.3f})")
