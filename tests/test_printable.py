"""Characters that are not to be seen are shown by their codes."""

import sys
import unicodedata
import xml.etree.ElementTree as ET

import pytest

from tangency.data import DataError
from tangency.errors import InputError, MemoryLimitError, NetworkError, StoreError
from tangency.kernels import KernelPair
from tangency.nets import Steepness
from tangency.printable import printable

JOINED = "é 日本 \u3000\xa0 👩\u200d👧 می\u200cخواهم"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dog\x0b", r"dog\x0b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\0b\x7f\x85", r"a\x00b\x7f\x85"),
        ("\u202egnp\u2069", r"\u202egnp\u2069"),
        ("\uffff\ufdd0\U0001ffff", r"\uffff\ufdd0\U0001ffff"),
        ("lone \udc80", r"lone \udc80"),
        ("two\nlines\u2028", r"two\nlines\u2028"),
        (
            "é 日本 \u3000\xa0 👩\u200d👧 می\u200cخواهم",
            "é 日本 \u3000\xa0 👩\u200d👧 می\u200cخواهم",
        ),
        ("back\\slash & <b>", "back\\slash & <b>"),
    ],
)
def test_what_is_shown(text, shown):
    assert printable(text) == shown


def test_whatever_comes_can_be_written_and_read_back():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    shown = printable(every)
    shown.encode("utf-8")
    assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(c) for c in set(shown)}
    assert ET.fromstring(f"<a>{shown.replace('&', '').replace('<', '')}</a>").text


def test_lines_are_kept_where_they_are_meant():
    assert printable("a\n\tb\r", keep="\n\t") == "a\n\tb\\r"


@pytest.mark.parametrize(
    "kind", [InputError, NetworkError, StoreError, MemoryLimitError, DataError]
)
def test_messages_show_codes(kind):
    assert str(kind("no \x1b[2J\nremedy")) == "no \\x1b[2J\nremedy"


def test_a_named_tuple_shows_whatever_it_holds():
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert repr(KernelPair(1.0, deep)) == "KernelPair(nngp=1.0, ntk=<list>)"
    assert repr(Steepness()) == "Steepness(k=1.0, k_dot=1.0)"
