"""Dataset distillation: a few images, learned so that a kernel trained on them alone does well.

Kernel inducing points (Nguyen, Chen and Lee 2021): the loss of kernel ridge regression from the
learned images to batches of the training images is differentiated in the pixels, and Adam follows.

python examples/distillation.py                     (scikit-learn's digits, 8×8: some minutes)
python examples/distillation.py --data mnist.npz    (x_train, y_train, x_test, y_test)
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tangency as tg

Set = tuple[torch.Tensor, torch.Tensor]  # images (n, height, width, 1), targets (n, 10)


def load(path: str | None, limit: int) -> tuple[Set, Set]:
    """Training and test images, standardised by the training pixels; one-hot targets less 0.1."""
    if path is None:
        digits: Any = load_digits()
        x, x_test, y, y_test = train_test_split(
            digits.images, digits.target, test_size=450, random_state=0, stratify=digits.target
        )
    else:
        with np.load(path) as file:
            x, y, x_test, y_test = (file[k] for k in ("x_train", "y_train", "x_test", "y_test"))
    x, y, x_test, y_test = x[:limit], y[:limit], x_test[:limit], y_test[:limit]
    mean, std = np.mean(x), np.std(x)

    def pair(images: Any, classes: Any) -> Set:
        return torch.tensor((images - mean) / std)[..., None], torch.tensor(
            np.eye(10)[classes] - 0.1
        )

    return pair(x, y), pair(x_test, y_test)


def predict(kernel: tg.NTK | tg.NNGP, known: Set, images: torch.Tensor) -> torch.Tensor:
    """Kernel ridge regression on the known images, the ridge 1e-6 times the mean of k(x, x)."""
    x, y = known
    K = kernel(x)
    ridge = 1e-6 * K.diagonal().mean() * torch.eye(len(x), dtype=torch.float64)
    return kernel(images, x) @ torch.linalg.solve(K + ridge, y)


def accuracy(kernel: tg.NTK | tg.NNGP, known: Set, test: Set) -> float:
    with torch.no_grad():
        found = predict(kernel, known, test[0]).argmax(dim=1)
    return float((found == test[1].argmax(dim=1)).double().mean())


def draw(train: Set, per_class: int, seed: int) -> Set:
    """That many random training images of each class, in the order of the classes."""
    random, classes = np.random.default_rng(seed), train[1].argmax(dim=1).numpy()
    orders = [random.permutation(np.flatnonzero(classes == c)) for c in range(10)]
    rows = np.concatenate([order[:per_class] for order in orders])
    return train[0][rows], train[1][rows]


def learn(kernel: tg.NTK | tg.NNGP, train: Set, start: Set, options: argparse.Namespace) -> Set:
    """Adam over the pixels, and over the labels if asked for."""
    images, labels = (part.clone() for part in start)
    learned = [images, labels] if options.labels else [images]
    optimizer = torch.optim.Adam([part.requires_grad_() for part in learned], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    random = torch.Generator().manual_seed(0)
    for _ in range(options.steps):
        rows = torch.randperm(len(train[0]), generator=random)[: options.batch]
        error = predict(kernel, (images, labels), train[0][rows]) - train[1][rows]
        loss = (error**2).sum(dim=1).mean() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return images.detach(), labels.detach()


def draw_picture(rows: dict[str, torch.Tensor], path: str) -> None:
    """A row of images under each name, a column for each class."""
    figure = Figure(figsize=(8.5, 0.85 * len(rows)), layout="constrained", facecolor="white")
    axes = figure.subplots(len(rows), 10, squeeze=False)
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, images[..., 0].numpy(), strict=True):
            axis.imshow(image, cmap="gray_r")
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
    figure.savefig(path, dpi=150)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Learn a few images that stand for all of them.")
    parser.add_argument("--data", help="an npz file with x_train, y_train, x_test, y_test")
    parser.add_argument("--net", default="conv3 relu conv3 relu flatten dense")
    parser.add_argument("--per-class", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--limit", type=int, default=2000, help="most images of each part")
    parser.add_argument("--draws", type=int, default=10, help="of random images, to compare with")
    parser.add_argument("--labels", action="store_true", help="learn the labels too")
    parser.add_argument("--out", default="distillation.png", help="the picture")
    options = parser.parse_args(arguments)
    train, test = load(options.data, options.limit)
    kernels = {"NTK": tg.NTK(options.net), "last-layer": tg.NNGP(options.net)}
    pictures = {"real": draw(train, 1, 0)[0]}
    print(f"{len(train[0])} training images, {len(test[0])} test images; test accuracies:")
    for per_class in options.per_class:
        start = draw(train, per_class, 0)
        randoms = [draw(train, per_class, seed) for seed in range(options.draws)]
        for name, kernel in kernels.items():
            began = time.process_time()
            found = learn(kernel, train, start, options)
            seconds = time.process_time() - began
            (other,) = (each for each in kernels if each != name)
            scores = [accuracy(kernel, known, test) for known in randoms]
            print(
                f"{name}, {per_class} per class: learned {accuracy(kernel, found, test):.3f}, "
                f"random {np.mean(scores):.3f} ± {np.std(scores):.3f}; learned, in the {other} "
                f"kernel {accuracy(kernels[other], found, test):.3f} ({seconds:.0f} s of CPU time)"
            )
            pictures[f"{name}, {per_class} per class"] = found[0][::per_class]
    for name, kernel in kernels.items():
        print(f"{name}, all training images: {accuracy(kernel, train, test):.3f}")
    draw_picture(pictures, options.out)


if __name__ == "__main__":
    main()
