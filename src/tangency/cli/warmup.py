"""`tangency warmup`."""

from __future__ import annotations

import time

import typer


def warmup() -> None:
    """Compile the fused engine ahead of its first use, for float32 and float64.

    The result is kept on disk, so that this takes up to two minutes once, and seconds afterwards.
    Set NUMBA_CACHE_DIR to keep it in another directory.
    """
    from ..engines.fused import blocks
    from ..engines.fused.warm import warm_up

    begin = time.perf_counter()
    for number, dtype in enumerate(("float32", "float64"), start=1):
        start = time.perf_counter()
        warm_up((dtype,))
        typer.echo(f"{number} of 2: {dtype} ready after {time.perf_counter() - start:.1f} s")
    typer.echo(f"in all {time.perf_counter() - begin:.1f} s")
    path = blocks.image_block.stats.cache_path
    if path is None:
        raise OSError(
            "no cache directory can be written to, so every process compiles again; set "
            "NUMBA_CACHE_DIR to one that can"
        )
    typer.echo(f"cache: {path}")
