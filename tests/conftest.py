"""Settings that all tests share."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

# The oracles and strategies of this folder are imported by name: `from naive import kernel`.
sys.path.insert(0, str(Path(__file__).parent))

# The same examples on every run: a failure is a change of the code, not of the dice.
settings.register_profile(
    "tangency",
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("tangency")
