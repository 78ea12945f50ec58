"""The report on a network and a data set: what it says, and in which order."""

from __future__ import annotations

from collections.abc import Callable

from ..data.dataset import shape_text
from ..nets.operators import Shifts
from ..nets.plan import walk
from .lazy import has_torch, lazy_section
from .learning import LearningCurves
from .material import Material
from .measured import (
    geometry_section,
    smoothness_section,
    spectrum_section,
    stability_section,
)
from .page import Fact, Page, Section
from .sections import data_section, learning_section, matrices_section, network_section

Step = Callable[[str], None]

#: The sections on the inductive bias itself, in their order.
BIAS: dict[str, Callable[[Material], Section]] = {
    "spectra": spectrum_section,
    "smoothness": smoothness_section,
    "stability": stability_section,
    "geometry": geometry_section,
}
#: Those on networks of finite width, which need PyTorch.
FINITE: dict[str, Callable[[Material], Section]] = (
    {"finite networks": lazy_section} if has_torch() else {}
)
#: How often `build_report` calls `step`.
STEPS = 2 + len(BIAS) + len(FINITE)


_LEAD = (
    "Which functions does this network prefer when it is infinitely wide? Two kernels answer, "
    "side by side: the neural tangent kernel, with all layers trained, and the kernel of the "
    "same network with only its last layer trained."
)


def build_report(
    material: Material, command: str, step: Step = lambda name: None, method: str = ""
) -> Page:
    """Measure everything and put it on a page; `step` is told what is being done.

    command: what makes this page again, shown at its end. method: a sentence on how the data were
    prepared.
    """
    step("kernel matrices")
    sections = [network_section(material), data_section(material), matrices_section(material)]
    step("learning curve")
    section, curves = learning_section(material)
    sections.append(section)
    sections += bias_sections(material, step)
    for name, measure in FINITE.items():
        step(name)
        sections.append(measure(material))
    return page(material, sections, curves, command, method)


def bias_sections(material: Material, step: Step) -> list[Section]:
    """All that is measured about the inductive bias itself."""
    found = []
    for name, measure in BIAS.items():
        step(name)
        found.append(measure(material))
    return found


def page(
    material: Material,
    sections: list[Section],
    curves: LearningCurves | None,
    command: str,
    method: str = "",
) -> Page:
    """A page about the network, from sections that are ready."""
    kind = network_kind(material)
    seed, draws = material.options.seed, material.options.draws
    exact = "Nothing on this page is simulated at finite width: kernels are exact."
    if any(section.key == "finite" for section in sections):
        exact = "Kernels are exact; only the section on finite networks draws networks at random."
    text = [
        f"{exact} Random choices begin at seed {seed}, with {draws} draws wherever nothing else is "
        "said, so that the same command gives the same results.",
        *([method] if method else []),
    ]
    return Page(
        title=f"The inductive bias of a {kind} network",
        subject=material.data.name,
        kicker=f"{material.data.name} · tangency report",
        lead=_LEAD,
        layers=[str(layer) for layer in material.net.layers],
        facts=_facts(material, curves),
        sections=sections,
        method=text,
        command=command,
    )


def network_kind(material: Material) -> str:
    """convolutional or dense."""
    from ..nets.plan import plan

    steps = plan(material.net, material.X.shape[1:]).steps
    return "convolutional" if any(isinstance(s.operator, Shifts) for s in walk(steps)) else "dense"


def _facts(material: Material, curves: LearningCurves | None) -> list[Fact]:
    facts = [
        Fact(
            material.examples.capitalize(),
            f"{material.total:,}",
            f"of shape {shape_text(material.X.shape[1:])}; {len(material.X):,} used here",
        )
    ]
    if curves is not None:
        size = next(iter(curves.curves.values())).sizes[-1]
        for name, curve in curves.curves.items():
            facts.append(
                Fact(
                    "NTK" if name == "NTK" else "Last-layer kernel",
                    curves.value(curve, -1),
                    f"test {curves.score}, {size:,} training {curves.examples}",
                    "ntk" if name == "NTK" else "last-layer",
                )
            )
    return facts
