"""Cards: what is computed anew, what is kept, what cannot be shown."""

from dataclasses import replace

import numpy as np
import pytest

from tangency.data import Dataset
from tangency.errors import NetworkError
from tangency.explore.cards import choices
from tangency.explore.explorer import Explorer, Stopped, first_state
from tangency.explore.state import Motion
from tangency.explore.subject import Subject
from tangency.explore.views import VIEWS


def shown(explorer, state, cards=None):
    """Names of the cards that are made for a state, and the keys that are then shown."""
    known = dict(cards or {})
    found = [card.name for card in explorer.cards(state, known, lambda step: None)]
    known.update({view.name: view.key(state) for view in VIEWS})
    return found, known


def test_all_cards_at_first_then_those_that_differ(explorer, state):
    every, cards = shown(explorer, state)
    assert every == [view.name for view in VIEWS]
    for change, names in (
        ({}, []),
        ({"dim": 5}, ["spectrum"]),
        ({"motion": Motion(right=1)}, ["moved"]),
        ({"image": 7}, ["nearest", "moved"]),
        ({"examples": 30}, ["nearest", "moved", "matrices", "learning"]),
        ({"net": "conv3 erf gap dense"}, every),
    ):
        assert shown(explorer, replace(state, **change), cards)[0] == names


def test_a_card_has_a_figure_numbers_and_code(explorer, state):
    for card in explorer.cards(state, {}, lambda step: None):
        assert ("<svg" in card.body) == (card.name != "nearest")
        assert "<table" in card.numbers
        assert "import tangency as tg" in card.code
        assert 'class="summary"' in card.body


def test_a_card_is_computed_once(explorer, state, monkeypatch):
    view = VIEWS[0]
    first = explorer.card(view, state)
    assert explorer.kept(view, state) is first
    monkeypatch.setattr("tangency.explore.measure.profile", None)
    assert explorer.card(view, state) is first


def test_what_cannot_be_shown_is_said(explorer, state):
    vectors = Explorer(Subject(Dataset(np.eye(30), None), ""))
    cards = {c.name: c for c in vectors.cards(first_state(vectors), {}, lambda step: None)}
    assert "Not shown: only images can be deformed" in cards["moved"].body
    assert "Not shown: the data have no labels to learn" in cards["learning"].body
    assert cards["moved"].code == ""
    alone = Explorer(Subject(Dataset(np.ones((1, 4, 4, 1)), np.zeros(1, dtype=int)), ""))
    cards = {c.name: c for c in alone.cards(first_state(alone), {}, lambda step: None)}
    assert "Not shown: there is no other image to compare it with" in cards["nearest"].body
    assert "one input" in cards["matrices"].body
    # Relu gives 0 at inputs of zeros, for which there is no cosine.
    blank = Explorer(Subject(Dataset(np.zeros((30, 4)), np.arange(30) % 2), ""))
    card = blank.card(VIEWS[4], first_state(blank))
    assert "Not shown: kernel &#39;NTK&#39; has zero" in card.body


def test_a_network_that_does_not_fit_is_refused(explorer, state):
    with pytest.raises(NetworkError, match="did you mean relu"):
        explorer.check(replace(state, net="conv3 rely gap dense"))
    with pytest.raises(NetworkError, match="a kernel needs a vector at the end"):
        explorer.check(replace(state, net="conv3 relu"))


def test_ticks_may_stop_it(explorer, state):
    def tick(step):
        if step.view.name == "nearest":
            raise Stopped

    cards = explorer.cards(replace(state, net="conv3 abs gap dense"), {}, tick)
    assert next(cards).name == "profile"
    with pytest.raises(Stopped):
        next(cards)


def test_pictures_to_choose_from(explorer):
    rows = explorer.subject.some(2)
    assert explorer.subject.classes[rows].tolist() == [0, 0, 1, 1]
    html = choices(explorer.subject, rows, rows[1])
    assert html.count("data:image/png;base64,") == 4
    assert html.count("chosen") == 1


def test_names_are_escaped():
    name = "<script>alert(1)</script>"
    data = Dataset(np.eye(30), np.arange(30) % 2, class_names=(name, "b"), name=name)
    hostile = Explorer(Subject(data, ""))
    for card in hostile.cards(first_state(hostile), {}, lambda step: None):
        assert "<script" not in card.body + card.numbers
