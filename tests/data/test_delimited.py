"""Text files of columns: separator, encoding, decimal sign."""

import io

import pytest

from bncli.data.delimited import header, read_delimited

TEXT = "städte,höhe,class\nKöln,1.5,x\nOslo,2,y\n"


def read(content, usual=",", label="class"):
    return read_delimited("'t.csv'", io.BytesIO(content), usual, label)[:2]


@pytest.mark.parametrize(
    ("encoding", "unusual"),
    [
        ("utf-8", ()),
        ("utf-8-sig", ()),
        ("utf-16", ("text in utf-16",)),
        ("cp1252", ("text in cp1252",)),
        ("latin-1", ("text in cp1252",)),
    ],
)
def test_the_encoding_is_found(encoding, unusual):
    content = TEXT.encode(encoding)
    table, found = read(content)
    assert list(table.columns) == header(io.BytesIO(content), ",") == ["städte", "höhe", "class"]
    assert (table["städte"].tolist(), table["höhe"].tolist(), found) == (["Köln", "Oslo"], [1.5, 2], unusual)


def test_utf_16_of_a_mac_is_found_too():
    content = b"\xfe\xff" + TEXT.encode("utf-16-be")
    assert read(content)[0]["städte"].tolist() == ["Köln", "Oslo"]


def test_a_sign_after_a_million_bytes_tells_the_encoding():
    content = ("a,class\n" + "1,x\n" * 300_000 + "2,ü\n").encode("cp1252")
    table, found = read(content)
    assert (table["class"].iloc[-1], found) == ("ü", ("text in cp1252",))


@pytest.mark.parametrize("content", [b"a,class\n\xff\x00\x01,x\n", b"a,class\n\x81,x\n"])
def test_bytes_of_no_encoding(content):
    with pytest.raises(UnicodeDecodeError):
        read(content)


@pytest.mark.parametrize(
    ("text", "values", "unusual"),
    [
        ("a;b;class\n1,5;2;x\n-3;4;y\n", [1.5, -3], ("columns separated by ';'", "decimal commas")),
        ("a;b;class\n1,5e-3;2;x\n;4;y\n3;4;y\n", [0.0015, 3], ("columns separated by ';'", "decimal commas")),
        ("a;b;class\n1,5;2.5;x\n3;4;y\n", ["1,5", "3"], ("columns separated by ';'",)),
        ("a;b;class\n1,5 m;2;x\n3;4;y\n", ["1,5 m", "3"], ("columns separated by ';'",)),
        ("a;b;class\n1;2;1,5\n3;4;2,5\n", [1, 3], ("columns separated by ';'",)),
        ('a,b,class\n"1,5",2,x\n3,4,y\n', ["1,5", "3"], ()),
    ],
)
def test_decimal_commas_are_found_where_they_separate_nothing(text, values, unusual):
    table, found = read(text.encode())
    assert (table["a"].dropna().tolist(), found) == (values, unusual)


def test_tabs_with_decimal_commas():
    table, found = read(b"a\tclass\n1,5\tx\n2,5\ty\n", "\t")
    assert (table["a"].tolist(), found) == ([1.5, 2.5], ("decimal commas",))


def test_commas_of_a_quantity_are_decimal_however_the_other_columns_are():
    rows = "".join(f"{number};{number},5\n" for number in range(30))
    table, found = read(f"a;class\n{rows}".encode())
    assert (table["class"].tolist()[:2], found[1]) == ([0.5, 1.5], "decimal commas")


@pytest.mark.parametrize(
    ("remarks", "unusual"),
    [
        ("# by hand\n", ("a header behind 1 line of remarks (#)",)),
        ("#\n# a, b: metres\n# x\n", ("a header behind 3 lines of remarks (#)",)),
    ],
)
def test_remarks_before_the_header_are_left_out(remarks, unusual):
    content = (remarks + "a,b,class\n1,2,x\n3,4,#y\n").encode()
    table, found = read(content)
    assert (list(table.columns), table["class"].tolist(), found) == (["a", "b", "class"], ["x", "#y"], unusual)
    assert header(io.BytesIO(content), ",") == ["a", "b", "class"]


def test_a_header_may_begin_with_the_sign_of_remarks():
    for text in ("#a,class\n1,x\n2,y\n", "# by hand\n#a,class\n1,x\n2,y\n"):
        assert read(text.encode())[0].columns.tolist() == ["#a", "class"]
    assert read(b"# a\n# b\n")[0].columns.tolist() == ["# a"]
