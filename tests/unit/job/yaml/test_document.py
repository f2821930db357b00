from pathlib import Path

import pytest
import yaml

from runner.diagnostics import Position
from runner.job.origin import AT_KEY
from runner.job.yaml import document
from runner.job.yaml.document import MAX_BYTES, as_yaml, parse_document, read_document

FILE = Path("job.yaml")


def parse(text: str):
    return parse_document(text.encode(), FILE)


def codes(text: str) -> list[str]:
    return [found.code for found in parse(text).problems]


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request, monkeypatch):
    """Both of PyYAML's parsers, since not every machine has the fast one."""
    chosen = getattr(yaml, request.param, None)
    if chosen is None:
        pytest.skip(f"this PyYAML has no {request.param}")
    monkeypatch.setattr(document, "_LOADER", chosen)


def test_values_are_read_with_their_positions(loader):
    read = parse("version: 1\ntasks:\n  - name: a\n    needs: [x, 'y']\n")
    assert read.values == {"version": 1, "tasks": [{"name": "a", "needs": ["x", "y"]}]}
    at = read.origin.positions
    assert at[("version",)] == Position(1, 10, 11)
    assert at[("version", AT_KEY)] == Position(1, 1, 8)
    assert at[("tasks", 0)] == Position(3, 5, 12)
    assert at[("tasks", 0, "needs")] == Position(4, 12, 20)
    assert at[("tasks", 0, "needs", 1)] == Position(4, 16, 19)


def test_quoted_scalars_are_text(loader):
    assert parse("a: '1'\nb: \"true\"\nc: ''\n").values == {"a": "1", "b": "true", "c": ""}


def test_keys_are_text_as_written(loader):
    assert parse("1: a\nyes: b\nnull: c\n0123: d\n").values == {
        "1": "a",
        "yes": "b",
        "null": "c",
        "0123": "d",
    }


def test_block_text_keeps_tabs_and_lines(loader):
    assert parse("q: |\n  SELECT Id\n  \tFROM Account\n").values == {
        "q": "SELECT Id\n\tFROM Account\n"
    }


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    read = parse_document(b"\xef\xbb\xbfversion: 1\r\nname: x\r\n", FILE)
    assert read.values == {"version": 1, "name": "x"}
    assert read.origin.positions[("name", AT_KEY)] == Position(2, 1, 5)
    assert read.origin.lines[0] == "version: 1"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "yaml/empty"),
        ("# only this\n", "yaml/empty"),
        ("{}", "yaml/empty"),
        ("- a\n", "yaml/not-a-mapping"),
        ("text\n", "yaml/not-a-mapping"),
        ("a: 1\n---\nb: 2\n", "yaml/two-documents"),
        ("a: 1\n...\nb: 2\n", "yaml/two-documents"),
        ("a: 1\na: 2\n", "yaml/duplicate-key"),
        ("a: &x 1\n", "yaml/anchor"),
        ("a: *x\n", "yaml/alias"),
        ("*x : 1\n", "yaml/alias"),
        ("<<: {a: 1}\n", "yaml/merge-key"),
        ("a: !!int '1'\n", "yaml/tag"),
        ("a: !mine {b: 1}\n", "yaml/tag"),
        ("a: !x!y z\n", "yaml/tag"),
        ("? [a]\n: 1\n", "yaml/complex-key"),
        ("? {a: 1}\n: {b: 2}\n", "yaml/complex-key"),
        ("? |\n  a\n: 2\n", "yaml/complex-key"),
        ('"a\\nb": 2\n', "yaml/complex-key"),
        ("a:\n\tb: 1\n", "yaml/tab"),
        ("a: x\n\tb: 1\n", "yaml/tab"),
        ("\ta: 1\n", "yaml/tab"),
        ("a: 'x\n", "yaml/unclosed-quote"),
        ('a: "x\n', "yaml/unclosed-quote"),
        ("a: 'x\n---\n", "yaml/unclosed-quote"),
        ("a: 'it's'\n", "yaml/quote-in-quotes"),
        ("a: [1, 2\nb: 3\n", "yaml/unclosed-bracket"),
        ("a: {x: 1", "yaml/unclosed-bracket"),
        ("a: b: c\n", "yaml/unexpected-colon"),
        ("a:b\nc: d\n", "yaml/unexpected-colon"),
        ("a: 1\n  b: 2\n", "yaml/unexpected-colon"),
        ("a:\n  - b\n c: 1\n", "yaml/indentation"),
        ("a: - b\n", "yaml/indentation"),
        ("a\nb: 1\nc\n", "yaml/unexpected-colon"),
        ("a: 1\nb\n", "yaml/missing-colon"),
        ("a: @x\n", "yaml/reserved-character"),
        ("a: `x`\n", "yaml/reserved-character"),
        ("a: %x\n", "yaml/reserved-character"),
        ("a: ]\n", "yaml/reserved-character"),
        ("a: *\n", "yaml/alias"),
        ('a: "\\q"\n', "yaml/escape"),
        ('a: "\\xZZ"\n', "yaml/escape"),
        ("a: |x\n  b\n", "yaml/block-text"),
        ("%YAML 2.0\n---\na: 1\n", "yaml/directive"),
        ("a: \x07\n", "yaml/control-character"),
        ("a: \x1b[31m\n", "yaml/control-character"),
    ],
)
def test_each_special_case_has_its_own_words(text, code, loader):
    found = parse(text).problems
    assert [each.code for each in found] == [code]
    assert found[0].help
    assert found[0].message


def test_what_is_refused_does_not_end_the_reading(loader):
    text = "a: &x 1\nb: *x\nb: 2\nc: !t 3\nd:\n  <<: {e: 1}\n"
    assert codes(text) == [
        "yaml/anchor",
        "yaml/alias",
        "yaml/duplicate-key",
        "yaml/tag",
        "yaml/merge-key",
    ]
    paths = [found.path for found in parse(text).problems]
    assert paths == [("a",), ("b",), ("b",), ("c",), ("d",)]


def test_a_refused_value_takes_its_contents_with_it(loader):
    read = parse("a: 1\na: {b: [1, {c: 2}], b: 3}\nd: 4\n")
    assert read.values == {"a": 1, "d": 4}
    assert [found.code for found in read.problems] == ["yaml/duplicate-key"]


def test_a_complex_key_takes_its_value_with_it(loader):
    assert parse("? {a: [1]}\n: {b: 2}\nc: 3\n").values == {"c": 3}


def test_a_duplicate_key_names_the_line_of_the_first():
    found = parse("a: 1\nb: 2\na: 3\n").problems[0]
    assert "line 1" in found.message
    assert found.position == Position(3, 1, 2)


def test_an_undecodable_byte_is_told_by_number_and_line():
    read = parse_document(b"a: 1\nb: caf\xe9\n", FILE)
    assert [found.code for found in read.problems] == ["yaml/not-utf8"]
    assert "byte 12 " in read.problems[0].message
    assert "0xE9" in read.problems[0].message
    assert read.problems[0].position == Position(2, 7, 8)


def test_utf16_is_recognised():
    assert "UTF-16" in (parse_document("a: 1".encode("utf-16"), FILE).problems[0].help or "")


def test_a_file_of_ten_megabytes_is_refused_at_once():
    assert [found.code for found in parse_document(b"a" * 10_000_000, FILE).problems] == [
        "yaml/too-large"
    ]


@pytest.mark.parametrize("depth", [200, 100_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_depth_is_refused_and_breaks_nothing(depth, brackets, loader):
    opening = "[" if brackets == "[]" else "{a: "
    assert codes(f"a: {opening * depth}") == ["yaml/too-deep"]


def test_depth_by_indentation_is_refused():
    text = "".join(f"{' ' * level}a:\n" for level in range(200))
    assert codes(text) == ["yaml/too-deep"]


def test_many_dashes_are_refused():
    assert codes("a:\n  " + "- " * 200 + "x\n") == ["yaml/too-deep"]


def test_text_that_ends_in_nothing_is_no_traceback():
    for end in range(60):
        text = "version: 1\nname: 'a'\ntasks: [{a: \"b\\n\", c: !x &y *z}]\n- ? : | >"[:end]
        parse(text)


def test_a_missing_file_a_folder_and_no_permission_are_told(tmp_path):
    assert read_document(tmp_path / "none.yaml").problems[0].code == "yaml/no-file"
    assert read_document(tmp_path).problems[0].code == "yaml/folder"
    assert read_document(Path("a\0b")).problems[0].code == "yaml/unreadable"
    assert read_document(tmp_path / ("n" * 5000)).problems[0].code == "yaml/unreadable"


def test_a_large_file_is_not_read_whole(tmp_path):
    file = tmp_path / "big.yaml"
    with file.open("wb") as stream:
        stream.truncate(MAX_BYTES * 50)
    assert read_document(file).problems[0].code == "yaml/too-large"


@pytest.mark.parametrize(
    "text",
    ["1e3", "12E5", "0o17", "1_000", "on", "0123", "null", "", " x", "a\nb", "  a\nb\n", "\x85"],
)
def test_a_text_that_is_written_stays_this_text(text):
    written = as_yaml({"one": text, "two": [text]})
    assert parse(written).values == {"one": text, "two": [text]}


def test_a_list_that_is_there_twice_is_written_twice():
    shared = ["a", "b"]
    values = {"one": shared, "two": shared}
    found = parse(as_yaml(values))
    assert (found.values, found.problems) == (values, ())
