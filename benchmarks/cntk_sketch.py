"""Layerwise features beside the CNTK sketch of Zandieh et al. 2021, on the same images, in turn.

    git clone https://github.com/insuhan/ntk-sketch-rf && pip install quadprog torch
    python benchmarks/cntk_sketch.py DATA.npz ntk-sketch-rf [--images 2000] [--features 2048]

DATA.npz: x_train, y_train, x_test, y_test, square colour images. The network is theirs: three
convolutions with 4×4 valid patches, ReLU behind each, averages, NTK with the first and last layer
frozen. Both make as many features of the first images; ridge regression on them chooses alpha by
leave-one-out. Reported: milliseconds an image (batches in turn, best of three rounds), test
accuracy, and the exact kernel's with --exact, which takes hours beyond a few hundred images.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time

import numpy as np
from sklearn.linear_model import RidgeClassifierCV

import tangency as tg

NET = "conv4:pad=valid,frozen relu conv4:pad=valid relu conv4:pad=valid relu gap dense:frozen"
BATCH, ROUNDS = 20, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("peer", help="a checkout of ntk-sketch-rf")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--widths", default="64,128")
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    with np.load(options.data) as data:
        parts = [data[name][: options.images] for name in ("x_train", "x_test")]
        y, expected = (data[name][: options.images] for name in ("y_train", "y_test"))
    train, test = (part.astype(np.float32) for part in parts)
    mean, deviation = train.mean((0, 1, 2)), train.std((0, 1, 2))
    train, test = (train - mean) / deviation, (test - mean) / deviation
    inner = tuple(map(int, options.widths.split(",")))
    ours = tg.LayerwiseFeatures(
        tg.NTK(NET), options.features, widths=(*inner, options.features), random_state=0
    )
    start = time.perf_counter()
    ours.fit(train)
    print(f"layerwise: fit {time.perf_counter() - start:.1f} s, {ours.size} features")
    sketch = peer(options.peer, options.features, ours)
    maps = {"layerwise": ours.transform, "sketch": sketch}
    times = dict.fromkeys(maps, np.inf)
    for _ in range(ROUNDS):
        for name, function in maps.items():
            start = time.perf_counter()
            function(train[:BATCH])
            times[name] = min(times[name], 1e3 * (time.perf_counter() - start) / BATCH)
    for name, function in maps.items():
        found = [by_batch(function, part) for part in (train, test)]
        accuracy = ridge(*found, y, expected)
        print(f"{name:<10}{times[name]:8.1f} ms an image, test accuracy {accuracy:.2%}")
    print(f"relative error of layerwise {ours.error_:.2%}, centred {ours.centred_error_:.2%}")
    if options.exact:
        model = tg.KernelClassifier(tg.NTK(NET), solver="eigh").fit(train, y)
        print(f"exact kernel: test accuracy {model.score(test, expected):.2%}")


def peer(folder: str, features: int, ours: tg.LayerwiseFeatures):
    """Their map of batches, (n, height, width, channels) to (n, features)."""
    import torch

    sys.path.insert(0, folder)
    from cntk_sketch import CNTKSketch, OblvFeatCNTK

    np.random.seed(0)  # noqa: NPY002 (theirs)
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()):
        sketch = CNTKSketch(4, ours.sample_shape[-1], features, 2, 3, "cpu")

    def found(X):
        with torch.no_grad():
            return OblvFeatCNTK(sketch, torch.from_numpy(X).moveaxis(3, 1)).numpy()

    return found


def by_batch(function, X):
    return np.concatenate([function(X[k : k + BATCH]) for k in range(0, len(X), BATCH)])


def ridge(train, test, y, expected):
    scale = np.sqrt(np.mean(np.square(train).sum(axis=1)))
    model = RidgeClassifierCV(alphas=np.logspace(-8, 1, 19)).fit(train / scale, y)
    return float(np.mean(model.predict(test / scale) == expected))


if __name__ == "__main__":
    main()
