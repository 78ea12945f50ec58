"""A published figure on real images: 2,000 CIFAR-10 images learned, 1,000 others recognised.

    python benchmarks/cifar.py --data cifar10_small.npz [--net cntk|all|TEXT] [--work FOLDER]

The network is (conv3 relu)×3 with global average pooling: `tg.cntk(4)` ("cntk": the first and the
last layer frozen, as Arora et al. 2019 have it), the same with all layers trained ("all"), or any
text form. Channels are standardised with the mean and deviation of the training images; kernels
are computed in float32, and a ridge classifier with leave-one-out ridge is fitted to each. That is
4 million pairs of images, both kernels in one pass.

The kernel is kept in blocks of 32 rows in the work folder: a run that was stopped continues there.
A folder made with other data, another network, precision or version is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measure import RESULTS, machine, seconds, versions, warn_if_busy, write_json

import tangency as tg

ROWS = 32
# Accuracy in % with 2,000 training images, CNTK-GAP; their depth counts the last layer.
PUBLISHED = {"depth 3": 49.71, "depth 4": 51.06, "depth 6": 51.73}
NETS = {
    "cntk": str(tg.cntk(4)),
    "all": " ".join(["conv3 relu"] * 3 + ["gap", "dense"]),
}


class Images(NamedTuple):
    """Standardised images (n, 32, 32, 3) in float32, and their labels."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def load(path: Path, train: int, test: int) -> Images:
    with np.load(path) as data:
        x, y = data["x_train"][:train], data["y_train"][:train]
        x_test, y_test = data["x_test"][:test], data["y_test"][:test]
    x, x_test = (images.astype(np.float64).reshape(-1, 32, 32, 3) for images in (x, x_test))
    mean, deviation = x.mean(axis=(0, 1, 2)), x.std(axis=(0, 1, 2))
    x, x_test = ((images - mean) / deviation for images in (x, x_test))
    return Images(x.astype(np.float32), y, x_test.astype(np.float32), y_test)


class Blocks:
    """Blocks of rows of both kernels on disk, (2, rows, columns) each, with the time they took."""

    def __init__(self, folder: Path, net: str, images: Images, threads: int | None) -> None:
        self.folder, self.net, self.images, self.threads = folder, net, images, threads
        folder.mkdir(parents=True, exist_ok=True)
        self._check()
        self.log = folder / "seconds.json"
        self.seconds: dict[str, float] = {}
        if self.log.exists():
            self.seconds = json.loads(self.log.read_text(encoding="utf-8"))
        self.todo = [name for name in self._names() if not self._path(name).exists()]

    def _check(self) -> None:
        """Compares the folder's fingerprint with this run's, or leaves one."""
        digest = hashlib.sha256()
        for array in (self.images.train, self.images.test):
            digest.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
        mine = {
            "net": self.net,
            "images": digest.hexdigest(),
            "dtype": "float32",
            "rows": ROWS,
            "tangency": tg.__version__,
        }
        path = self.folder / "fingerprint.json"
        if not path.exists():
            if any(self.folder.glob("*.npy")):
                raise SystemExit(f"{self.folder} holds blocks but no fingerprint.json; clear it")
            path.write_text(json.dumps(mine, indent=1) + "\n", encoding="utf-8")
            return
        theirs = json.loads(path.read_text(encoding="utf-8"))
        wrong = [key for key in mine if theirs.get(key) != mine[key]]
        if wrong:
            raise SystemExit(
                f"{self.folder} was made with another {', '.join(wrong)}: give another --work, or "
                "clear it"
            )

    def _names(self) -> list[str]:
        both = {"train": len(self.images.train), "test": len(self.images.test)}
        return [f"{part}_{i:05d}" for part, n in both.items() for i in range(0, n, ROWS)]

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def fill(self, limit: int | None) -> None:
        """Computes missing blocks, at most `limit` of them."""
        pairs, start = 0, time.perf_counter()
        todo = self.todo[:limit]
        for k, name in enumerate(todo, 1):
            part, i = name.split("_")
            first = int(i)
            rows = getattr(self.images, part)[first : first + ROWS]
            # The training matrix is symmetric: a block begins at its own rows.
            columns = self.images.train[first if part == "train" else 0 :]
            taken = seconds(lambda n=name, r=rows, c=columns: self._write(n, r, c))
            self.seconds[name] = taken
            write_text(self.log, json.dumps(self.seconds, indent=0))
            pairs += len(rows) * len(columns)
            rate = pairs / (time.perf_counter() - start)
            print(f"{name}  {k} of {len(todo)}  {taken:6.1f} s  {rate:,.0f} pairs/s", flush=True)
        self.todo = self.todo[len(todo) :]

    def _write(self, name: str, rows: np.ndarray, columns: np.ndarray) -> None:
        both = tg.gram(self.net, rows, columns, engine="fused", n_jobs=self.threads)
        part = self.folder / "part.tmp"
        with part.open("wb") as file:
            np.save(file, np.stack([both.nngp, both.ntk]))
        os.replace(part, self._path(name))

    def matrices(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """(training, test × training) of each kernel, the training matrix exactly symmetric."""
        n, m = len(self.images.train), len(self.images.test)
        train, test = np.zeros((2, n, n), np.float32), np.zeros((2, m, n), np.float32)
        for i in range(0, n, ROWS):
            train[:, i : i + ROWS, i:] = np.load(self._path(f"train_{i:05d}"))
        for i in range(0, m, ROWS):
            test[:, i : i + ROWS] = np.load(self._path(f"test_{i:05d}"))
        upper = np.triu(train)
        train = upper + np.triu(upper, 1).transpose(0, 2, 1)
        return {name: (train[k], test[k]) for k, name in enumerate(("nngp", "ntk"))}


def write_text(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def classify(images: Images, train: np.ndarray, test: np.ndarray) -> dict[str, Any]:
    model = tg.KernelClassifier(kernel="precomputed", alpha="loo").fit(train, images.train_labels)
    return {
        "accuracy": round(100 * model.score(test, images.test_labels), 2),
        "leave_one_out_accuracy": round(100 * float(model.loo_score_ or 0), 2),
        "alpha": float(model.alpha_),
        # One standard error of the accuracy, from the number of test images alone.
        "standard_error": round(100 * 0.5 / len(images.test_labels) ** 0.5, 2),
    }


def report(record: dict[str, Any]) -> str:
    lines = [f"{record['net']}: {record['train']:,} images, tested on {record['test']:,}"]
    for kernel in ("ntk", "nngp"):
        found = record[kernel]
        lines.append(
            f"  {kernel:<5} {found['accuracy']:6.2f} %  (leave-one-out "
            f"{found['leave_one_out_accuracy']:.2f} %, alpha {found['alpha']:.2g})"
        )
    known = ", ".join(f"{depth}: {accuracy}" for depth, accuracy in PUBLISHED.items())
    lines.append(f"  Arora et al. 2019, CNTK-GAP, 2,000 images: {known} %")
    lines.append(f"  {record['pairs']:,} pairs in {record['kernel_seconds']:,.0f} s")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="an .npz: x_train, y_train, ...")
    parser.add_argument("--net", default="cntk", help="cntk, all, or the text form of a network")
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--threads", type=int, help="default: all")
    parser.add_argument("--limit", type=int, help="stop after so many blocks")
    parser.add_argument("--work", type=Path, help="default: build/cifar-NET beside benchmarks/")
    parser.add_argument("--out", type=Path, default=RESULTS / "cifar.json")
    options = parser.parse_args()
    net = str(tg.parse(NETS.get(options.net, options.net)))
    label = options.net if options.net in NETS else "other"
    work = options.work or Path(__file__).parents[1] / "build" / f"cifar-{label}"
    about = machine(options.threads or len(os.sched_getaffinity(0)))
    warn_if_busy(about)
    images = load(options.data, options.train, options.test)
    blocks = Blocks(work, net, images, options.threads)
    blocks.fill(options.limit)
    if blocks.todo:
        print(f"{len(blocks.todo)} blocks are left; the same command continues")
        return
    n, m = len(images.train), len(images.test)
    record: dict[str, Any] = {
        "net": net,
        "train": n,
        "test": m,
        "pairs": sum(min(ROWS, n - i) * (n - i) for i in range(0, n, ROWS)) + n * m,
        "kernel_seconds": round(sum(blocks.seconds.values()), 1),
        "machine": about,
        "versions": versions(),
        "published": PUBLISHED,
    }
    for kernel, (train, test) in blocks.matrices().items():
        record[kernel] = classify(images, train, test)
    results = {}
    if options.out.exists():
        results = json.loads(options.out.read_text(encoding="utf-8"))
    write_json(options.out, results | {label: record})
    print(report(record))
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
