"""Tables as text: .csv and .tsv, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import itertools
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from ..printable import cut, shown
from .errors import DataError
from .inputs import RawParts

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)")
_PADDED = re.compile(r"[+-]?0\d+")
# Plain decimal numbers only: float() also reads 1_000, digits of other scripts, and "infinity".
_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")
_LABEL_NAMES = ("label", "labels", "target", "targets", "class", "classes", "y")
_MISSING = ("na", "n/a", "nan", "null", "none", "?", "-")
_INFINITE = ("inf", "infinity")


def read_table(
    path: Path, label_column: str | int | None = -1, header: bool | None = None
) -> RawParts:
    """Examples in the rows of a text table, labels in one column.

    label_column: a name from the header, a position (-1 is the last), or None for no labels. -1 is
    refused where another column is called label, target, class or y and the last is not.
    header: whether the first line holds names; None finds out: it does if none of its fields
    outside the label column is a number, and a line that leaves a doubt is an error.
    Labels become integers if all are whole numbers, else floats if all are numbers, else strings.
    Numbers are written with a decimal point and without separators of thousands.
    Raises `DataError` that names the line and the column of the first field that is no number, for
    rows of different lengths, and for two columns of one name.
    """
    try:
        with _open(path) as stream:
            return _read(stream, path, label_column, header)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text in UTF-8 ({error}); save it again as UTF-8") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged or truncated gzip file ({error})") from error
    except csv.Error as error:
        raise DataError(f"{path}: not a table of text: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error}") from error


def _open(path: Path) -> TextIO:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return cast(TextIO, opener(path, "rt", encoding="utf-8-sig", newline=""))


def _read(
    stream: Iterator[str], path: Path, label_column: str | int | None, header: bool | None
) -> RawParts:
    head = list(itertools.islice(stream, 20))
    delimiter = _delimiter(head)
    rows = _rows(itertools.chain(head, stream), delimiter)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: the file is empty")
    line, fields = first
    width = len(fields)
    named = _has_header(fields, label_column, path) if header is None else header
    names = tuple(field.strip() for field in fields) if named else None
    if names:
        _check_names(names, path)
        if label_column == -1:
            _refuse_another_label(names, path)
    label = _label_index(label_column, names, width, path)
    columns = [name for i, name in enumerate(names or ()) if i != label]
    X, y, lines = [], [], []
    for line, fields in rows if named else itertools.chain([first], rows):
        if len(fields) != width:
            raise DataError(
                f"{path}, line {line}: {len(fields)} fields where the first line has {width}; "
                "every row needs the same number"
            )
        if label is not None:
            y.append(_label(fields.pop(label), path, line))
            lines.append(line)
        X.append(_numbers(fields, columns, path, line, label))
    if not X:
        raise DataError(f"{path}: a header and no rows")
    if header is None and names is None:
        _refuse_hidden_header(X[0], y, path)
    return RawParts(
        np.stack(X),
        None if label is None else _label_array(y, lines, path),
        name=path.name.split(".")[0],
        feature_names=tuple(columns) or None,
    )


def _rows(
    lines: Iterator[str], delimiter: str, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    for fields in reader:
        if fields and any(field.strip() for field in fields):
            yield reader.line_num, fields


def _delimiter(head: list[str]) -> str:
    # The separator that cuts the first lines into the most pieces, each the same number.
    best, most = ",", 1
    for delimiter in ",;\t":
        widths = {len(fields) for _, fields in _rows(iter(head), delimiter, strict=False)}
        if len(widths) == 1 and (width := widths.pop()) > most:
            best, most = delimiter, width
    return best


def _has_header(fields: list[str], label_column: str | int | None, path: Path) -> bool:
    if isinstance(label_column, str):
        return True
    features = list(fields)
    if label_column is not None and -len(fields) <= label_column < len(fields):
        features.pop(label_column)
    numeric = [_is_number(field) for field in features]
    if not any(numeric):
        return True
    counts = len(features) > 1 and features == [str(i) for i in range(len(features))]
    if counts or not all(numeric):
        kind = "counts up from 0" if counts else "mixes numbers and other text"
        raise DataError(
            f"{path}: its first line {kind}, so it may hold column names or an example; "
            "say header=True or header=False (--header, --no-header)"
        )
    return False


def _refuse_hidden_header(first: np.ndarray, labels: list[str], path: Path) -> None:
    """Columns may be called 400, 401, 402: their names look like an example, all but the label's.

    Raises `DataError` where the first line's label is text unlike all others, and these are
    numbers, or the features of that line go up by equal steps.
    """
    if len(labels) < 2 or _is_number(labels[0]) or labels[0] in labels[1:]:
        return
    steps = np.diff(first)
    counts = len(first) > 2 and steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-6)
    if counts or all(_is_number(label) or _is_missing(label) for label in labels[1:]):
        raise DataError(
            f"{path}: its first line has numbers for all features, but a label like no other, "
            f"{shown(labels[0])}, so it may hold column names or an example; "
            "say header=True or header=False (--header, --no-header)"
        )


def _label_index(
    label_column: str | int | None, names: tuple[str, ...] | None, width: int, path: Path
) -> int | None:
    if label_column is None:
        return None
    if width < 2:
        raise DataError(
            f"{path}: only one column, which cannot be both examples and labels; separate columns "
            "by comma, semicolon or tab, or say label_column=None (--label-column none) if there "
            "are no labels"
        )
    if isinstance(label_column, str):
        if names is None or names.count(label_column) != 1:
            known = "no header" if names is None else f"the columns {cut(', '.join(names), 300)}"
            raise DataError(f"{path}: no single column named {shown(label_column)}; it has {known}")
        return names.index(label_column)
    if not -width <= label_column < width:
        raise DataError(f"{path}: no column {label_column}; there are {width}, counted from 0")
    return label_column % width


def _check_names(names: tuple[str, ...], path: Path) -> None:
    if not names[0]:
        raise DataError(
            f"{path}: its first column has no name, as if it were a row index; remove or name it"
        )
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        places = [i for i, name in enumerate(names) if name == twice]
        called = f"are called {shown(twice)}" if twice else "have no name"
        raise DataError(
            f"{path}: columns {' and '.join(map(str, places))} {called}; remove or rename one"
        )


def _refuse_another_label(names: tuple[str, ...], path: Path) -> None:
    """The last column holds the labels by habit only, which the name of another may deny."""
    called = [name for name in names if name.lower() in _LABEL_NAMES]
    if len(names) > 1 and called and names[-1] not in called:
        raise DataError(
            f"{path}: the labels may be in column {shown(called[0])}, by its name, or in "
            f"{shown(names[-1])}, the last; say label_column={shown(called[0])} or "
            f"label_column={shown(names[-1])} (--label-column NAME)"
        )


def _is_number(field: str) -> bool:
    return _NUMBER.fullmatch(field) is not None


def _numbers(
    fields: list[str], columns: list[str], path: Path, line: int, label: int | None
) -> np.ndarray:
    if all(map(_is_number, fields)):
        row = np.array([float(field) for field in fields])
        if np.isfinite(row).all():
            return row
    bad = next(i for i, f in enumerate(fields) if not (_is_number(f) and np.isfinite(float(f))))
    position = bad if label is None or bad < label else bad + 1
    column = f"column {shown(columns[bad])}" if columns else f"column {position}"
    held = f"holds {shown(fields[bad].strip())}" if fields[bad].strip() else "is empty"
    remedy = "fill in missing values and turn categories into numbers first"
    if _COMMA.fullmatch(fields[bad]):
        remedy = "write decimals with a point"
    elif "_" in fields[bad] and _is_number(fields[bad].replace("_", "")):
        remedy = "write numbers without separators"
    raise DataError(f"{path}, line {line}, {column} {held}, expected a finite number; {remedy}")


def _label(field: str, path: Path, line: int) -> str:
    label = field.strip()
    if not label:
        raise DataError(f"{path}, line {line}: the label is missing; fill it in or drop the row")
    return label


def _label_array(labels: list[str], lines: list[int], path: Path) -> np.ndarray:
    _refuse_near_numbers(labels, lines, path)
    if all(map(_WHOLE.fullmatch, labels)):
        # Longer ones are identifiers, which no integer type holds and floats would run together.
        if any(len(label.lstrip("+-")) > 18 for label in labels):
            return np.array(labels)
        return np.array([int(label) for label in labels])
    # "007" is a name, not the number 7.
    if all(map(_is_number, labels)) and not any(map(_PADDED.fullmatch, labels)):
        return np.array([float(label) for label in labels])
    return np.array(labels)


def _refuse_near_numbers(labels: list[str], lines: list[int], path: Path) -> None:
    """A few labels that are no numbers must not turn all others, which are, into names."""
    odd = [i for i, label in enumerate(labels) if not _is_number(label)]
    if not odd:
        return
    first = labels[odd[0]]
    where = f"{path}, line {lines[odd[0]]}: the label is {shown(first)}"
    if all(_COMMA.fullmatch(labels[i]) for i in odd):
        raise DataError(f"{where}, expected a number or a name; write decimals with a point")
    if len(odd) < len(labels) and all(_is_missing(labels[i]) for i in odd):
        raise DataError(f"{where} where others are numbers; fill it in or drop the row")
    decimals = sum(_is_number(label) and not _WHOLE.fullmatch(label) for label in labels)
    if 2 * decimals > len(labels):
        raise DataError(
            f"{where} where most others are decimal numbers; write it as a number, fill it in or "
            "drop the row"
        )


def _is_missing(label: str) -> bool:
    """Whether a label among numbers says that there is none."""
    return label.lower() in _MISSING or label.lower().lstrip("+-") in _INFINITE


def column_count(path: Path) -> int:
    """The number of columns in the first line of a table."""
    try:
        with _open(path) as stream:
            head = list(itertools.islice(stream, 20))
        return next((len(f) for _, f in _rows(iter(head), _delimiter(head), strict=False)), 0)
    except (UnicodeDecodeError, EOFError, zlib.error, csv.Error, OSError) as error:
        raise DataError(f"{path}: cannot be read as a table: {error}") from error


def is_table(path: str | Path) -> bool:
    """Whether a file name is one that `read_table` reads."""
    name = str(path).lower().removesuffix(".gz")
    return name.endswith((".csv", ".tsv"))
