"""Classification of a whole set of images on layerwise features, the NTK beside the last layer.

    python benchmarks/images.py DATA.npz --net "conv3:frozen relu conv3 relu gap \
dense:frozen" --widths 128,1024 --store STORES

DATA.npz: x_train, y_train, x_test, y_test, images (n, height, width, channels). Channels are
standardised over the training images; with --whiten every image is standardised, and the set of
them whitened (ZCA, regularization 0.1). For each kernel: relative error of the features, seconds an
image, leave-one-out and test accuracy. What is finished stays in STORES, and the same command goes
on after an interruption; seconds are those of this run.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

import tangency as tg
from tangency.data import ZCA, NormalizeImages, Standardize
from tangency.learn import Features, KernelClassifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--net", required=True)
    parser.add_argument("--widths", required=True)
    parser.add_argument("--store", required=True, type=Path)
    parser.add_argument("--kernels", default="ntk,nngp")
    parser.add_argument("--components", type=int, default=10**6)
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--tested", type=int, default=None)
    parser.add_argument("--whiten", action="store_true")
    parser.add_argument("--flips", action="store_true", help="train on mirror images too")
    options = parser.parse_args()
    with np.load(options.data) as data:
        train, y = data["x_train"][: options.limit], data["y_train"][: options.limit]
        test, expected = data["x_test"][: options.tested], data["y_test"][: options.tested]
    train = train.reshape(*train.shape[:3], -1).astype(np.float32)
    test = test.reshape(*test.shape[:3], -1).astype(np.float32)
    if options.whiten:
        steps = make_pipeline(NormalizeImages(size="std"), ZCA())
    else:
        steps = Standardize(per="channel")
    train, test = steps.fit_transform(train), steps.transform(test)
    if options.flips:
        train, y = np.concatenate([train, train[:, :, ::-1]]), np.concatenate([y, y])
    widths = tuple(map(int, options.widths.split(",")))
    solver = Features(options.components, widths=widths, progress=True)
    print(f"{options.net}, widths {options.widths}, {len(train):,} images")
    for kind in options.kernels.split(","):
        kernel = {"ntk": tg.NTK, "nngp": tg.NNGP}[kind](options.net)
        store = options.store / f"{kind}.zarr"
        start = time.perf_counter()
        model = KernelClassifier(kernel, solver=solver, store=store).fit(train, y)
        fitted = time.perf_counter()
        right = np.concatenate(
            [
                model.predict(test[k : k + 500]) == expected[k : k + 500]
                for k in range(0, len(test), 500)
            ]
        )
        done = time.perf_counter()
        features = model.features_
        print(
            f"{kind:<5}{features.size:,} features, error {features.error_:.2%}, centred "
            f"{features.centred_error_:.2%}; alpha {model.alpha_:.2g}; leave-one-out "
            f"{model.loo_score_:.2%}, test {right.mean():.2%}; fit {fitted - start:,.0f} s, "
            f"prediction {1e3 * (done - fitted) / len(test):.1f} ms an image",
            flush=True,
        )


if __name__ == "__main__":
    main()
