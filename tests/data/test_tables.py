"""Tables of text: header, label column, separators, and the errors with line and column."""

import gzip
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tangency.data import DataError, DataWarning, load

IRIS = "sepal,petal,kind\n5.1,1.4,setosa\n7.0,4.7,versicolor\n"


def table(tmp_path, text, name="t.csv", **options):
    (tmp_path / name).write_text(text)
    return load(tmp_path / name, **options)


def test_header_and_text_labels(tmp_path):
    found = table(tmp_path, IRIS)
    assert found.feature_names == ("sepal", "petal")
    assert found.X_train.tolist() == [[5.1, 1.4], [7.0, 4.7]]
    assert found.y_train.tolist() == ["setosa", "versicolor"]
    assert found.task == "classification"


def test_no_header(tmp_path):
    found = table(tmp_path, "1,2,a\n3,4,b\n")
    assert found.X_train.tolist() == [[1, 2], [3, 4]]
    assert found.feature_names is None


@pytest.mark.parametrize(("column", "labels"), [(0, [5, 7]), ("b", [1, 4]), (-1, [9, 8])])
def test_label_column(tmp_path, column, labels):
    found = table(tmp_path, "a,b,c\n5,1,9\n7,4,8\n", label_column=column)
    assert found.y_train.tolist() == labels
    assert found.X_train.shape == (2, 2)


@pytest.mark.parametrize("name", ["label", "Target", "CLASS", "y"])
def test_another_column_called_the_label_is_asked_for(tmp_path, name):
    text = f"{name},a,size\n0,5,1\n1,4,8\n"
    with pytest.raises(DataError, match=f"label_column='{name}' or label_column='size'"):
        table(tmp_path, text)
    assert table(tmp_path, text, label_column=name).y_train.tolist() == [0, 1]
    assert table(tmp_path, text, label_column="size").y_train.tolist() == [1, 8]
    assert table(tmp_path, text, label_column=2).y_train.tolist() == [1, 8]
    assert table(tmp_path, f"y,a,{name}s2,label\n0,5,1,3\n").y_train.tolist() == [3]


def test_no_labels(tmp_path):
    found = table(tmp_path, "1,2\n3,4\n", label_column=None, require_labels=False)
    assert found.y_train is None
    assert found.X_train.shape == (2, 2)


@pytest.mark.parametrize(
    ("labels", "dtype", "task"),
    [
        (["1", "-2", "+3"], "i", "classification"),
        (["1", "2.5", "3"], "f", "regression"),
        (["1.0", "2.0", "3.0"], "f", "regression"),
        (["007", "008", "1"], "U", "classification"),
        (["1", "b", "3"], "U", "classification"),
    ],
)
def test_the_type_of_labels(tmp_path, labels, dtype, task):
    found = table(tmp_path, "".join(f"0.5,{label}\n" for label in labels))
    assert found.y_train.dtype.kind == dtype
    assert found.task == task


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_separators_quotes_blank_lines_and_bom(tmp_path, separator):
    text = '\ufeff"x, in m";y;label\r\n1;2;a\r\n\r\n3;4;b\r\n'.replace(";", separator)
    found = table(tmp_path, text)
    assert found.feature_names == ("x, in m", "y")
    assert found.X_train.tolist() == [[1, 2], [3, 4]]


def test_gzipped(tmp_path):
    with gzip.open(tmp_path / "t.csv.gz", "wt") as stream:
        stream.write(IRIS)
    assert load(tmp_path / "t.csv.gz").y_train.tolist() == ["setosa", "versicolor"]
    whole = (tmp_path / "t.csv.gz").read_bytes()
    (tmp_path / "t.csv.gz").write_bytes(whole[:-12])
    with pytest.raises(DataError, match="damaged or truncated gzip"):
        load(tmp_path / "t.csv.gz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("a,b,c\n", "a header and no rows"),
        ("a,b,c\n1,2,x\n3,?,y\n", r"line 3, column 'b' holds '\?', expected a finite number"),
        ("a,b,c\n1,2,x\n3,nan,y\n", "line 3, column 'b' holds 'nan'"),
        ("1,2,x\n3,inf,y\n", "line 2, column 1 holds 'inf'"),
        ("a,b,c\n,2,x\n", "line 2, column 'a' is empty"),
        ("a,b,c\n1,2\n", "line 2: 2 fields where the first line has 3"),
        ("a,b,c\n1,2,\n", "line 2: the label is missing"),
        ("a\n1\n", r"only one column.*label_column=None"),
        ("1,?,x\n1,2,x\n", r"mixes numbers and other text.*header=False"),
        ("0,1,label\n1,2,x\n", r"counts up from 0.*header=True"),
        (",a,b\n0,1,x\n", "first column has no name, as if it were a row index"),
        ('a,b\n1,"2\n', "not a table of text"),
    ],
)
def test_errors_say_where(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        table(tmp_path, text)


def test_label_column_counts_in_the_error_position(tmp_path):
    with pytest.raises(DataError, match="line 2, column 2 holds 'x'"):
        table(tmp_path, "7,1,2\n8,1,x\n", label_column=0)


@pytest.mark.parametrize(
    ("column", "message"),
    [("kind2", "no single column named 'kind2'.*sepal, petal, kind"), (3, "no column 3")],
)
def test_label_columns_that_are_not_there(tmp_path, column, message):
    with pytest.raises(DataError, match=message):
        table(tmp_path, IRIS, label_column=column)


def test_not_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,\xff\xfe\n")
    with pytest.raises(DataError, match="not text in UTF-8"):
        load(tmp_path / "t.csv")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2, st.sampled_from("ab")),
        min_size=1,
        max_size=8,
    ),
    named=st.booleans(),
)
def test_what_is_written_is_read(tmp_path, values, named):
    lines = ["u,v,label"] * named + [f"{a!r},{b!r},{label}" for a, b, label in values]
    found = table(tmp_path, "\n".join(lines), header=named)
    assert np.array_equal(found.X_train, np.array([row[:2] for row in values]))
    assert found.y_train.tolist() == [row[2] for row in values]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,a,y\n1,2,3,0\n", "columns 0 and 2 are called 'a'; remove or rename one"),
        ("a,,,y\n1,2,3,0\n", "columns 1 and 2 have no name"),
        ("a,b,y\n1_000,2,0\n", "line 2, column 'a' holds '1_000', .* without separators"),
        ("a;b;y\n1,5;2;0\n", "line 2, column 'a' holds '1,5', .* write decimals with a point"),
        ("a,b,y\n\u0661,2,0\n", "column 'a' holds '\u0661', expected a finite number"),
        ("a,b,y\n1,infinity,0\n", "column 'b' holds 'infinity', expected a finite number"),
        ("a,b,y\n1,nan,0\n", "column 'b' holds 'nan', expected a finite number"),
        ("a,b,y\n1,2,NA\n3,4,1.5\n", "line 2: the label is 'NA' where others are numbers"),
    ],
)
def test_numbers_and_names_that_may_be_misread_are_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load(tmp_path / "t.csv")


def test_quotes_a_byte_order_mark_and_old_line_ends(tmp_path):
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbf"a","b","y"\r"1","2.5","0"\r')
    found = load(tmp_path / "t.csv")
    assert found.feature_names == ("a", "b")
    assert found.X_train.tolist() == [[1.0, 2.5]]


def test_long_numbers_of_labels_stay_apart(tmp_path):
    found = table(tmp_path, "a,y\n1,9223372036854775808\n2,9223372036854775809\n3," + "9" * 5000)
    assert len(set(found.y_train.tolist())) == 3
    assert found.task == "classification"


@pytest.mark.parametrize(
    "text",
    [
        "1990,1991,country\n1,2,7\n3,4,8\n",  # years over numbers
        "1990,1991,target\n1,2,0.5\n3,4,0.7\n",
        "5,label\n1,0\n2,1\n",
        "400,410,420,species\n.1,.2,.1,a\n.3,.2,.1,b\n.1,.3,.1,a\n",  # wavelengths over names
    ],
)
def test_a_header_of_numbers_is_no_example(tmp_path, text):
    with pytest.raises(DataError, match=r"a label like no other.*say header=True"):
        table(tmp_path, text)
    assert len(table(tmp_path, text, header=True).X_train) == text.count("\n") - 1
    if "0.5" not in text:
        assert len(table(tmp_path, text, header=False).X_train) == text.count("\n")


@pytest.mark.parametrize(
    "text", ["1,5,2,a\n3,1,7,b\n3,1,4,b\n", "1,2,3,a\n3,4,5,a\n", "1,2,a\n3,4,1\n5,6,a\n"]
)
def test_a_first_example_is_no_header(tmp_path, text):
    assert len(table(tmp_path, text).X_train) == text.count("\n")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["1,5", "2,5"], "line 2: the label is '1,5'.*a decimal point|write decimals with a point"),
        (["0.5", "1,000"], "line 3: the label is '1,000'.*write decimals with a point"),
        (["0.5", "-inf"], "line 3: the label is '-inf' where others are numbers"),
        (["1", "2", "Infinity"], "line 4: the label is 'Infinity' where others are numbers"),
        (["0.5", "0.25", "> 10"], "line 4: the label is '> 10' where most others are decimal"),
    ],
)
def test_labels_that_are_nearly_numbers_make_no_names_of_the_others(tmp_path, labels, message):
    text = "a;b;y\n" + "".join(f"1;2;{label}\n" for label in labels)
    with pytest.raises(DataError, match=message):
        table(tmp_path, text)


@pytest.mark.parametrize("labels", [["1", "2", "10+"], ["+", "-"], ["x, y", "0.5"], ["1.2.3", "2"]])
def test_names_with_digits_stay_names(tmp_path, labels):
    text = "a;b;y\n" + "".join(f"1;2;{label}\n" for label in labels)
    assert table(tmp_path, text).y_train.tolist() == labels


def test_a_gap_among_names_is_refused(tmp_path):
    with pytest.raises(DataError, match="1 labels are 'nan', the first is number 1"):
        table(tmp_path, "a,b,y\n1,2,yes\n3,4,nan\n")


def test_wide_tables_and_long_fields_are_cut_in_messages(tmp_path):
    names = ",".join(f"c{i}" for i in range(5000))
    for text, options in [
        (f"{names}\n", {"label_column": "y"}),
        (f"a,b,y\n{'7' * 5000}x,1,2\n", {}),
        (f"{'a' * 5000},b,y\nx,1,2\n", {}),
    ]:
        with pytest.raises(DataError) as refused:
            table(tmp_path, text, **options)
        assert len(str(refused.value)) < 800


@pytest.mark.parametrize("gap", ["NA", "?", "none", "-", "n/a", "NULL"])
def test_a_name_that_may_say_that_there_is_none_is_told(tmp_path, gap):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b,y\n1,2,cat\n3,4,{gap}\n5,6,dog\n7,8,{gap}\n")
    told = rf"{re.escape(repr(gap))} among the labels \(of 2 of 4 examples\) is taken for the name"
    with pytest.warns(DataWarning, match=told):
        found = load(path)
    assert sorted(set(found.y_train)) == sorted({"cat", "dog", gap})
    path.write_text("a,b,y\n1,2,cat\n3,4,nationality\n5,6,nonesuch\n")
    load(path)
