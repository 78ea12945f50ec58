"""Which method is taken, and that what it says is true."""

import numpy as np
import pytest
import torch
from torch import nn

from tangency import MemoryLimitError
from tangency.finite import empirical_ntk, explain_ntk
from torch_modules import made


def wide() -> nn.Module:
    return nn.Sequential(
        nn.Linear(20, 300), nn.ReLU(), nn.Linear(300, 300), nn.ReLU(), nn.Linear(300, 1)
    )


def test_wide_dense_layers_are_contracted_layer_by_layer():
    choice = explain_ntk(wide(), torch.randn(40, 20))
    assert choice.method == "layers"
    assert [step.form for step in choice.layout.steps] == ["gram"] * 3
    assert "fewest multiply-adds" in str(choice)
    assert "Gram matrices" in str(choice.layer_table())
    assert "with its weight" in str(choice.layer_table())


def test_all_three_forms_occur():
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),  # many positions, few weights: gradients in full
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Conv2d(4, 512, 3, stride=2),  # few positions, many weights: in slices
        nn.Flatten(),
        nn.Linear(512 * 9, 64),  # one position: Gram matrices
    )
    choice = explain_ntk(
        module, torch.randn(300, 1, 28, 28), outputs="diagonal", params=["0", "3", "5"]
    )
    forms = [step.form for step in choice.layout.steps]
    assert forms[0] == "dense"
    assert forms[2] == "gram"


def test_a_method_that_does_not_fit_says_so():
    module, x = wide(), torch.randn(40, 20)
    choice = explain_ntk(module, x, max_memory=500_000)
    obstacles = {e.method: e.obstacle for e in choice.estimates}
    assert "needs at least" in obstacles["jacobian"]
    assert obstacles[choice.method] is None
    with pytest.raises(MemoryLimitError, match="raise max_memory"):
        empirical_ntk(module, x, max_memory=500_000, method="jacobian")


@pytest.mark.parametrize("name", ["dense", "convolutional", "shared"])
@pytest.mark.parametrize("method", ["jacobian", "ntvp", "layers"])
def test_results_do_not_depend_on_the_memory(name, method):
    module, _ = made(name)
    x = made(name)[1]
    x = torch.cat([x + 0.1 * i for i in range(5)])
    wanted = empirical_ntk(module, x)
    choice = explain_ntk(module, x, method=method)
    most = next(e.memory for e in choice.estimates if e.method == method)
    tried = 0
    for part in (0.5, 0.3, 0.2):
        try:
            found = empirical_ntk(module, x, method=method, max_memory=part * most + 40_000)
        except MemoryLimitError:
            continue
        tried += 1
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-10)
    assert tried > 0


def test_the_choice_as_a_table():
    choice = explain_ntk(wide(), np.ones((5, 20)), method="ntvp")
    assert choice.summary == "ntvp: it was asked for."
    assert [row[0] for row in choice.table().rows] == ["layers", "jacobian", "ntvp"]
