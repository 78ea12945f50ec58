"""The Python that makes what is shown: each text runs as it is, and gives the same numbers."""

from __future__ import annotations

import numpy as np

from ..report.learning import LearningCurves
from .measure import DEGREE, DRAWS, NEAR, POINTS, STEPS, network, on_sphere
from .results import Moved
from .state import State
from .subject import SEED, Subject

_KERNELS = 'kernels = {{"NTK": tg.NTK({0}), "last-layer": tg.NNGP({0})}}'


def profile_code(subject: Subject, state: State, result: object) -> str:
    """Both kernels as functions of the cosine."""
    return f"""
import numpy as np
import tangency as tg
from tangency.bias import sphere_kernel

net = {_text(str(on_sphere(network(state.net))[0]))}
{_KERNELS.format("net")}
u = np.linspace(-1, 1, {POINTS})
profiles = {{name: sphere_kernel(kernel)(u) for name, kernel in kernels.items()}}
for name, values in profiles.items():
    print(name, "κ(1) =", values[-1], "κ(0)/κ(1) =", values[{POINTS // 2}] / values[-1])
"""


def spectrum_code(subject: Subject, state: State, result: object) -> str:
    """Eigenvalues on the sphere."""
    return f"""
import tangency as tg

net = {_text(str(on_sphere(network(state.net))[0]))}
{_KERNELS.format("net")}
found = tg.bias.spectrum(kernels, dim={state.dim}, degree={DEGREE})
print(found.table())
found.plot().savefig("spectrum.png")
"""


def matrices_code(subject: Subject, state: State, result: object) -> str:
    """Cosine similarities, sorted by class."""
    shown = """
matrices = {"NTK": K.ntk, "last-layer": K.nngp}
cosines = {
    name: matrix / np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))
    for name, matrix in matrices.items()
}
"""
    if subject.classes is None:
        return _head(subject, state, labels=False) + f"K = tg.gram(net, X){shown}print(cosines)\n"
    return f"""{_head(subject, state)}K = tg.gram(net, X){shown}
same = y[:, None] == y[None, :]
others = ~np.eye(len(y), dtype=bool)
for name, cosine in cosines.items():
    print(name, "within a class", cosine[same & others].mean(), "else", cosine[~same].mean())

order = np.argsort(y, kind="stable")  # what is drawn: the classes one after the other
pictures = {{name: cosine[np.ix_(order, order)] for name, cosine in cosines.items()}}
"""


def learning_code(subject: Subject, state: State, result: LearningCurves) -> str:
    """Test scores of both kernels on the same random splits."""
    sizes = list(next(iter(result.curves.values())).sizes)
    regression = subject.classes is None
    model = "KernelRegressor" if regression else "KernelClassifier"
    split = (
        "random_split(len(y), 1 / 3, draw)" if regression else "stratified_split(y, 1 / 3, draw)"
    )
    part = (
        "np.sort(np.random.default_rng(draw).permutation(len(train))[:size])"
        if regression
        else "stratified_subset(y[train], size, draw)"
    )
    return f"""{_head(subject, state, ["random_split", "stratified_split", "stratified_subset"])}
K = tg.gram(net, X)
scores = {{}}
for name, matrix in (("NTK", K.ntk), ("last-layer", K.nngp)):
    for size in {sizes}:
        scores[name, size] = []
        for draw in range({DRAWS}):
            train, test = {split}
            part = train[{part}]
            model = tg.{model}("precomputed", alpha="loo")
            model.fit(matrix[np.ix_(part, part)], y[part])
            scores[name, size].append(model.score(matrix[np.ix_(test, part)], y[test]))
        print(name, size, np.mean(scores[name, size]), np.std(scores[name, size], ddof=1))
"""


def nearest_code(subject: Subject, state: State, result: object) -> str:
    """The nearest examples in both kernels' feature spaces."""
    return f"""{_head(subject, state, labels=False)}
{_KERNELS.format("net")}
image = {state.image}
x = data.X_train[[image]]
others = np.setdiff1d(rows, [image])
nearest = {{}}
for name, kernel in kernels.items():
    distances = kernel.distance(x, data.X_train[others], rtol=1e-2)[0] / np.sqrt(kernel.diag(x)[0])
    order = np.argsort(distances, kind="stable")[:{NEAR}]
    nearest[name] = others[order], distances[order]
    print(name, *nearest[name])
"""


def moved_code(subject: Subject, state: State, result: Moved) -> str:
    """An image on its way through a deformation."""
    words = state.motion.field(subject.space)[1]
    names = ("RandomField", "Rotation", "Scaling", "Shear", "Translation")
    used = [name for name in names if f"{name}(" in words]
    math = "import math\n\n" if "math." in words else ""
    return f"""{math}import numpy as np
import tangency as tg
from tangency.bias.deformations import {", ".join(used)}, deform
from tangency.data import load

data = {subject.loaded}
net = {_text(state.net)}
{_KERNELS.format("net")}
x = data.X_train[[{state.image}]]
tau = {words}
shares = np.linspace(0, 1, {STEPS + 1})[1:]
copies = np.concatenate([deform(x, t * tau, antialias=0) for t in shares])
distances = {{}}
for name, kernel in kernels.items():
    way = kernel.paired_distance(np.repeat(x, len(copies), axis=0), copies, rtol=1e-2)
    distances[name] = way / np.sqrt(kernel.diag(x)[0])
    print(name, distances[name])
"""


def _head(
    subject: Subject, state: State, imports: list[str] | None = None, labels: bool = True
) -> str:
    """Data, network, and the rows of the examples that are compared."""
    count, total = len(subject.rows(state.examples)), len(subject.X)
    names = ["load", *(imports or [])]
    if count == total:
        rows = f"np.arange({total})"
    elif _in_proportion(subject, count):
        rows = f"stratified_subset(data.y_train, {count}, {SEED})"
        names.append("stratified_subset")
    else:
        rows = f"np.sort(np.random.default_rng({SEED}).permutation({total})[:{count}])"
    y = "\ny = data.y_train[rows]" if labels and subject.y is not None else ""
    return f"""
import numpy as np
import tangency as tg
from tangency.data import {", ".join(sorted(set(names)))}

data = {subject.loaded}
net = {_text(state.net)}
rows = {rows}
X = data.X_train[rows]{y}
"""


def _in_proportion(subject: Subject, count: int) -> bool:
    """Whether `Subject.rows` takes classes in proportion; see `report.material.drawn`."""
    if subject.classes is None:
        return False
    counts = np.unique(subject.classes, return_counts=True)[1]
    return bool(counts.min() > 1 and count >= len(counts))


def _text(net: str) -> str:
    return '"' + " ".join(net.split()) + '"'
