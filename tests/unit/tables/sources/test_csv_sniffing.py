"""What is detected from the first bytes of a CSV file, and what is left as declared."""

import codecs

import pytest

from runner.job.endpoints import FileFormat, FileShape
from runner.tables.sources.csv import detect


def found(text, **shape):
    content = text if isinstance(text, bytes) else text.encode()
    declared = FileShape(FileFormat.CSV, undeclared=frozenset({"delimiter", "encoding"}), **shape)
    shape, _ = detect(declared, content)
    return shape


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1;2\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("a;b", ";"),
        ('"a,x";"b,y"\n"1,5";2\n', ";"),
        ('"a;x",b\n1,"2;3"\n', ","),
        ("name;amount, EUR\nA;1\nB;2\n", ";"),
        ("a;b\n1,5;2,5\n", ";"),
        ('a;b\n"x\ny;z";2\n', ";"),
        ("\ufeffa;b\n1;2\n", ";"),
        ("a;b\r\n1;2\r\n\r\n3;4\r\n", ";"),
        ("a;b\r1;2\r", ";"),
        ("name\nA;B\n", ","),
        ("a;b\n1;2;3\n", ","),
        ("a,b\n1,2,3\n", ","),
        ("a^b\n1^2\n", ","),
        ("", ","),
    ],
)
def test_the_delimiter_is_what_splits_the_header_and_the_first_rows_alike(text, delimiter):
    assert found(text).delimiter == delimiter


def test_rows_decide_where_the_header_is_declared():
    assert found("1;2\n3;4\n", header=("a", "b")).delimiter == ";"
    assert found("1;2\n3;4\n", header=("a", "b", "c")).delimiter == ","


def test_a_row_that_the_look_cuts_in_two_does_not_count():
    row = "x;" * 4_000 + "x\n"
    assert found(row * 20).delimiter == ";"


@pytest.mark.parametrize(
    ("mark", "codec", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8", "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16"),
        (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32-be", "utf-32"),
    ],
)
def test_a_byte_order_mark_tells_the_encoding(mark, codec, encoding):
    shape = found(mark + "ä;b\n1;2\n".encode(codec))
    assert (shape.encoding, shape.delimiter) == (encoding, ";")


def test_no_encoding_is_guessed_from_letters():
    assert found("ä;b\n1;2\n".encode("windows-1252")).encoding == "utf-8"


def test_what_is_declared_stays():
    declared = FileShape(FileFormat.CSV, ",", "iso-8859-1")
    assert detect(declared, codecs.BOM_UTF16_LE + b"a;b") == (declared, None)


@pytest.mark.parametrize(
    ("text", "encoding", "note"),
    [
        ("a,b", "utf-8", None),
        ("a;b", "utf-8", "delimiter ';' found"),
        ("a\tb", "utf-16", "delimiter tab and encoding utf-16 found"),
    ],
)
def test_only_what_is_not_the_default_is_noted(text, encoding, note):
    declared = FileShape(FileFormat.CSV, undeclared=frozenset({"delimiter", "encoding"}))
    shape, found = detect(declared, text.encode(encoding))
    assert (shape.delimiter, shape.encoding, found) == (text[1], encoding, note)
