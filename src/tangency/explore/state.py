"""What is looked at: a network, examples, an image and its deformation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..bias.deformations import Deformation, RandomField, Rotation, Scaling, Shear, Translation
from ..bias.families import elastic


@dataclass(frozen=True)
class Motion:
    """How the image is deformed.

    angle: of a rotation, in degrees. size: of a magnification. slant: of a shear. right, down: of
    a translation, in pixels. wave: ‖∇τ‖ of a smooth random field.
    """

    angle: float = 0.0
    size: float = 1.0
    slant: float = 0.0
    right: float = 0.0
    down: float = 0.0
    wave: float = 0.0

    def field(self, space: tuple[int, ...]) -> tuple[Deformation, str]:
        """The displacement field τ on a grid of pixels, and the Python that makes it.

        >>> Motion(angle=90, right=1).field((8, 8))[1]
        'Rotation(math.radians(90)) + Translation((0, 1))'
        """
        affine = [
            (Rotation(math.radians(self.angle)), f"Rotation(math.radians({self.angle:g}))"),
            (Scaling(self.size), f"Scaling({self.size:g})"),
            (Shear(self.slant), f"Shear({self.slant:g})"),
        ]
        used = [self.angle != 0, self.size != 1, self.slant != 0]
        found: Deformation | None = None
        words = ""
        for (tau, text), moves in zip(affine, used, strict=True):
            if moves:
                found = tau if found is None else found @ tau
                words += f" @ {text}" if words else text
        for tau, text in self._added(space):
            found = tau if found is None else found + tau
            words += f" + {text}" if words else text
        return (Translation((0, 0)), "Translation((0, 0))") if found is None else (found, words)

    def _added(self, space: tuple[int, ...]) -> list[tuple[Deformation, str]]:
        parts: list[tuple[Deformation, str]] = []
        if self.right or self.down:
            text = f"Translation(({self.down:g}, {self.right:g}))"
            parts.append((Translation((self.down, self.right)), text))
        if self.wave:
            field = elastic(space)(0)
            assert isinstance(field, RandomField)
            text = (
                f"RandomField({field.correlation:g})"
                f".scale_to({tuple(space)}, gradient={self.wave:g})"
            )
            parts.append((field.scale_to(space, gradient=self.wave), text))
        return parts


@dataclass(frozen=True)
class State:
    """Everything that the page's controls set.

    net: the network's text. examples: how many are compared. dim: of the sphere of the spectrum.
    image: the row of one example, and how it moves.
    """

    net: str
    examples: int = 100
    dim: int = 10
    image: int = 0
    motion: Motion = field(default_factory=Motion)
