"""
Beyond memory, and beyond one machine
=====================================

A kernel matrix of a million samples has 10¹² entries. ``gram.compute`` writes a
matrix tile by tile into a folder, goes on after any interruption where it stopped,
and runs unchanged on a laptop or a cluster.
"""

# %%
# What would it take?
# -------------------
# ``estimate`` computes a small block on one core, for about a second, and counts the
# rest.

import tangency as tg

kernel = tg.NTK("conv3 relu conv3 relu flatten dense")
print(tg.gram.estimate(kernel, (60_000, 28, 28, 1), machines=16, dtype="float32"))

# %%
# A matrix in a store
# -------------------
# Here a small one, in tiles of 256 rows.

import tempfile
from pathlib import Path

from sklearn.datasets import load_digits

digits = load_digits()
images, labels = digits.images[..., None].astype("float32") / 16, digits.target
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "K.zarr"
K = tg.gram.compute(kernel, images[:1000], store=path, tile=256)
K

# %%
# It behaves like an array and reads only what you ask for; ``K.dask`` is the same for
# Dask.

K[:2, ::400], K.dask.shape

# %%
# The same call again finds the finished tiles. A tile that is missing or damaged is
# computed again, and never read as if it were right.

print(tg.gram.status(path).done, "tiles done;", "whole:", tg.gram.verify(path).ok)
tile = next(each for each in sorted(path.rglob("c/*/*")) if each.is_file())
tile.unlink()
print("whole after one file was removed:", tg.gram.verify(path).ok)
K = tg.gram.compute(kernel, images[:1000], store=path, tile=256)
print("whole after the same call:", tg.gram.verify(path).ok)

# %%
# Workers
# -------
# ``client=`` takes any Dask client. Here its workers are threads of this process;
# ``tg.gram.local_cluster(2)`` starts two processes on this machine (in a script under
# ``if __name__ == "__main__":``, as worker processes import it), and
# ``Client("tcp://10.0.0.1:8786")`` reaches a scheduler that runs already. No choice of
# these changes a bit of the result.

from dask.distributed import Client

with Client(
    processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None
) as client:
    other = tg.gram.compute(
        kernel,
        images[:1000],
        store=Path(folder.name) / "other.zarr",
        tile=256,
        client=client,
    )
bool((other[:] == K[:]).all())

# %%
# Learning from a store
# ---------------------
# Conjugate gradients (``solver="cg"``) use the matrix in products only, tile by tile.

model = tg.KernelClassifier("precomputed", alpha=1e-2, solver="cg").fit(
    K, labels[:1000]
)
new = tg.gram.compute(
    kernel, images[1000:], images[:1000], store=Path(folder.name) / "new.zarr"
)
print(f"{model.n_products_} products, accuracy {model.score(new, labels[1000:]):.3f}")

# %%
from matplotlib.figure import Figure

figure = Figure(figsize=(4.5, 4), layout="constrained")
axes = figure.subplots()
axes.imshow(K[:])
for place in range(256, 1000, 256):
    axes.axhline(place, color="white", linewidth=1)
    axes.axvline(place, color="white", linewidth=1)
axes.set(title="A kernel matrix in tiles", xticks=[], yticks=[])
folder.cleanup()

# %%
# For a million images, read the plan on :doc:`/scaling` first: which networks are
# affordable, and when :ref:`features <sphx_glr_tutorials_5_many_images.py>` are the
# better way.
