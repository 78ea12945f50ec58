"""One report for all tests of this folder."""

import pytest

from made import CONV, QUICK, small_images
from tangency.report.build import build_report
from tangency.report.material import prepare


@pytest.fixture(scope="session")
def report():
    """A page on small images, and the steps in which it was made."""
    steps = []
    material = prepare(small_images(), CONV, QUICK)
    return build_report(material, "tangency report DATA", steps.append), steps
