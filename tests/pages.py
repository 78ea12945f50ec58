"""What every HTML page has to be: well formed, complete in itself, accessible."""

from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Element:
    """A node of the tree: its tag, attributes, children, parent and direct text."""

    def __init__(self, tag, attributes, parent=None):
        self.tag, self.attributes, self.parent = tag, dict(attributes), parent
        self.children, self.pieces = [], []

    def __getitem__(self, name):
        return self.attributes.get(name)

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, *tags):
        return [element for element in self.walk() if element.tag in tags]

    @property
    def text(self):
        return " ".join(
            (piece if isinstance(piece, str) else piece.text) for piece in self.pieces
        ).strip()


class _Tree(HTMLParser):
    def __init__(self):
        super().__init__()
        self.root = self.here = Element("document", {})

    def handle_starttag(self, tag, attrs):
        child = Element(tag, attrs, self.here)
        self.here.children.append(child)
        self.here.pieces.append(child)
        if tag not in VOID:
            self.here = child

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID or any(p.tag == "svg" for p in self._ancestors()), f"<{tag}/> in HTML"
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.here = self.here.parent

    def handle_endtag(self, tag):
        assert tag == self.here.tag, f"</{tag}> closes <{self.here.tag}>"
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.pieces.append(data)

    def _ancestors(self):
        element = self.here
        while element is not None:
            yield element
            element = element.parent


def tree(html):
    """The page as a tree; asserts that every element is closed where it should be."""
    parser = _Tree()
    parser.feed(html)
    parser.close()
    assert parser.here is parser.root, f"<{parser.here.tag}> is not closed"
    return parser.root


def check(html):
    """Assert what every page has to be, and return its tree."""
    root = tree(html)
    everything = list(root.walk())
    assert html.startswith("<!DOCTYPE html>")
    assert root.all("html")[0]["lang"] == "en"
    assert root.all("title")[0].text
    assert not root.all("script", "iframe", "object", "embed", "form")
    _complete_in_itself(html, everything)
    _references(everything)
    _headings(root)
    for image in root.all("img"):
        assert image["alt"], "an <img> without alt"
    for picture in root.all("svg"):
        assert picture["role"] == "img"
        assert picture["aria-label"], "an <svg> without a name"
    for table in root.all("table"):
        _table(table)
    for landmark in ("header", "main", "footer", "nav"):
        assert len(root.all(landmark)) == 1
    return root


def _complete_in_itself(html, everything):
    for element in everything:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), f"{name} on <{element.tag}>"
            if name in ("src", "href", "xlink:href", "srcset", "data", "action"):
                inside = value.startswith(("#", "data:"))
                assert inside, f"<{element.tag} {name}={value[:60]!r}> leaves the page"
            assert "url(http" not in (value or "")
    assert "@import" not in html


def _references(everything):
    ids = [element["id"] for element in everything if element["id"] is not None]
    assert len(ids) == len(set(ids)), "an id occurs twice"
    for element in everything:
        named = (element["aria-labelledby"] or "").split()
        link = element["href"] or ""
        for target in named + ([link[1:]] if link.startswith("#") else []):
            assert target in ids, f"nothing has the id {target}"


def _headings(root):
    levels = [int(heading.tag[1]) for heading in root.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for before, after in pairwise(levels):
        assert after <= before + 1, f"h{after} after h{before}"


def _table(table):
    assert table.all("caption")[0].text
    head = table.all("thead")[0].all("th")
    assert head
    assert all(cell["scope"] == "col" for cell in head)
    for row in table.all("tbody")[0].all("tr"):
        assert len(row.children) == len(head)
        assert (row.children[0].tag, row.children[0]["scope"]) == ("th", "row")


def cells(table):
    """The words of a table: its head and its rows."""
    head = [cell.text for cell in table.all("thead")[0].all("th")]
    return head, [[cell.text for cell in row.children] for row in table.all("tbody")[0].all("tr")]
