import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import tangency.typing
from tangency.nets import ActivationLayer, facts

ROOT = Path(__file__).parent.parent


def test_types_cost_nothing_where_they_are_not_asked_for():
    code = "import sys, tangency, tangency.learn; assert 'tangency.typing' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_exported_exists():
    assert set(tangency.typing.__all__) <= set(vars(tangency.typing))


def test_what_is_listed_as_strict_exists():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    missing = [p for p in settings["tool"]["pyright"]["strict"] if not (ROOT / p).exists()]
    assert not missing  # pyright would pass over them in silence


@dataclass(frozen=True, repr=False)
class Stated(ActivationLayer):
    order: int

    any_precision = True

    @property
    def edge(self) -> float:
        return self.order + 0.5

    def dual(self, s, q1, q2):
        return s, q1


def test_facts_are_stated_by_attributes_and_by_properties():
    layer = Stated(2)
    assert facts.edge(layer) == 2.5
    assert facts.any_precision(layer)
    assert facts.powers(layer) is None
    assert facts.edge(Stated(1)) == 1.5
