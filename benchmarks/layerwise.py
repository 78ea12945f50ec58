"""Error and time of layerwise features of a convolutional NTK, by width.

    python benchmarks/layerwise.py IMAGES.npy [--images 164]

IMAGES.npy: (n, height, width, channels), any numbers; they are standardised by channel. For each
choice of widths and landmarks: relative Frobenius error of the NTK and of the centred NTK on
held-out images, of the last-layer kernel from the same pass, and milliseconds an image.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import tangency as tg

NET = "conv3 relu conv3 relu conv3 relu gap dense"
WIDTHS = ((32, 32, 64), (64, 64, 128), (128, 128, 256), (256, 256, 512))
METHODS = ("rpcholesky", "uniform")
FITTED = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images")
    parser.add_argument("--images", dest="count", type=int, default=FITTED + 64)
    options = parser.parse_args()
    X = np.load(options.images, mmap_mode="r")[: options.count].astype(np.float32)
    X = (X - X.mean((0, 1, 2))) / X.std((0, 1, 2))
    others = X[FITTED:]
    exact = tg.gram(tg.parse(NET), others)
    print("widths           landmarks   NTK     centred  last-layer  ms/image  fit s")
    for widths in WIDTHS:
        for method in METHODS:
            features = tg.LayerwiseFeatures(
                tg.NTK(NET), 2 * widths[-1], widths=widths, method=method, max_samples=FITTED
            ).set_params(random_state=0)
            start = time.perf_counter()
            features.fit(X)
            fitted = time.perf_counter()
            found = features.transform_pair(others)
            each = 1e3 * (time.perf_counter() - fitted) / len(others)
            K = found.nngp @ found.nngp.T
            last = np.linalg.norm(K - exact.nngp) / np.linalg.norm(exact.nngp)
            print(
                f"{widths!s:<17}{method:<11} {features.error_:.4f}  {features.centred_error_:.4f}"
                f"   {last:.4f}      {each:6.1f}    {fitted - start:.1f}"
            )


if __name__ == "__main__":
    main()
