"""Two models that are no neural kernels, for scale: an RBF SVM and a linear classifier."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from .table import Row


def svm_row(
    X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray, seed: int = 0
) -> Row:
    """An SVM with the Gaussian kernel, C and gamma by cross-validation on (n, d) training rows.

    Kernel time is that of one full kernel matrix at the chosen gamma. An SVM is one function per
    pair of classes, so it has no single RKHS norm.
    """
    scale = 1 / (X.shape[1] * X.var())
    grid = {"C": [1.0, 10.0, 100.0], "gamma": list(scale * np.array([0.25, 0.5, 1.0, 2.0, 4.0]))}
    folds = int(min(5, np.unique(y, return_counts=True)[1].min()))
    cv = StratifiedKFold(max(folds, 2), shuffle=True, random_state=seed)
    search = GridSearchCV(SVC(kernel="rbf"), grid, cv=cv).fit(X, y)
    C, gamma = search.best_params_["C"], search.best_params_["gamma"]
    return Row(
        model="RBF SVM",
        kernel=None,
        trained_on=len(X),
        correct=int(np.sum(search.predict(X_test) == y_test)),
        total=len(y_test),
        kernel_seconds=_seconds(rbf_kernel, X, X_test, gamma=gamma),
        chosen=f"C={C:g}, γ={gamma:.2g}",
    )


def linear_row(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray) -> Row:
    """A linear classifier by ridge regression, its ridge by leave-one-out on (n, d) rows.

    Its RKHS is that of the kernel ⟨x, x'⟩ of centred rows, so its norm is that of the weights.
    """
    model = RidgeClassifierCV(alphas=np.logspace(-4, 4, 33)).fit(X, y)
    centred = X - X.mean(axis=0)
    return Row(
        model="linear",
        kernel=None,
        trained_on=len(X),
        correct=int(np.sum(model.predict(X_test) == y_test)),
        total=len(y_test),
        kernel_seconds=_seconds(linear_kernel, X, X_test),
        chosen=f"alpha={model.alpha_:.2g}",
        rkhs_norm=float(np.linalg.norm(np.asarray(model.coef_))),
        size=float(np.sqrt(np.mean(np.sum(centred**2, axis=1)))),
    )


def _seconds(
    kernel: Callable[..., Any], X: np.ndarray, X_test: np.ndarray, **options: Any
) -> float:
    start = time.perf_counter()
    kernel(X, **options)
    kernel(X_test, X, **options)
    return time.perf_counter() - start
