"""scikit-learn's own data sets by name, and OpenML's where there is a network."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from .errors import DataError
from .inputs import RawParts

BUNDLED = ("digits", "breast_cancer", "wine", "iris", "diabetes")


def read_bundled(name: str) -> RawParts:
    """One of scikit-learn's bundled sets; `digits` as 1,797 images of 8 x 8 x 1, white = 16."""
    from sklearn import datasets

    found: Any = getattr(datasets, f"load_{name}")()
    if name == "digits":
        names = tuple(str(digit) for digit in range(10))
        images = found.images[..., np.newaxis]
        return RawParts(images, found.target, name=name, class_names=names, full_scale=16.0)
    classes = getattr(found, "target_names", None)
    return RawParts(
        found.data,
        found.target,
        name=name,
        class_names=None if classes is None else tuple(str(c) for c in classes),
        feature_names=tuple(str(feature) for feature in found.feature_names),
    )


def read_openml(source: str) -> RawParts:
    """`openml:NAME`, `openml:NAME@VERSION` or `openml:NUMBER`, fetched and cached by scikit-learn.

    Raises `DataError` without a network, for a name that OpenML does not have, and for data that
    are not numbers.
    """
    from sklearn.datasets import fetch_openml

    name = source.removeprefix("openml:")
    if not name:
        raise DataError("openml: needs a name or a number, such as openml:mnist_784 or openml:554")
    # pandas parses faster, but only scikit-learn's own parser is sure to be there.
    parser = "pandas" if importlib.util.find_spec("pandas") else "liac-arff"
    try:
        found: Any = fetch_openml(**_openml_key(name), as_frame=False, parser=parser)
    except OSError as error:  # URLError, HTTPError and time-outs are all of this kind.
        raise DataError(
            f"{source}: OpenML could not be reached ({error}); check the network, or download the "
            "set elsewhere and give the file"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{source}: OpenML has no such set, or not in this form: {error}"
        ) from error
    return _openml_parts(found, source, name)


def _openml_key(name: str) -> dict[str, Any]:
    if name.isdigit():
        return {"data_id": int(name)}
    title, _, version = name.partition("@")
    if not version:
        return {"name": title}
    if not version.isdigit():
        raise DataError(f"openml:{name}: the version after @ must be a whole number")
    return {"name": title, "version": int(version)}


def _openml_parts(found: Any, source: str, name: str) -> RawParts:
    X, y = found.data, found.target
    if hasattr(X, "toarray"):
        if X.shape[0] * X.shape[1] > 200_000_000:
            raise DataError(f"{source}: a sparse {X.shape} table is too large to write out in full")
        X = X.toarray()
    if X.dtype.kind not in "biuf":
        raise DataError(
            f"{source}: some features are text ({X.dtype}); turn them into numbers first"
        )
    if y is not None and y.dtype.kind == "O":
        y = np.asarray([str(label) for label in y])
    features = tuple(str(f) for f in found.feature_names) if found.feature_names else None
    return RawParts(X, y, name=name.partition("@")[0], feature_names=features)
