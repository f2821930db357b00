"""Every value of a YAML text has its place, and the place is right."""

import json
from pathlib import Path

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from runner.job.load import check_job
from runner.job.origin import AT_KEY
from runner.job.yaml.document import parse_document
from runner.job.yaml.tree import resolve

FILE = Path("x.yaml")
PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("C", "Z"))
KEYS = st.text(PRINTABLE, min_size=1, max_size=8).filter(lambda key: key != "<<")
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(PRINTABLE, max_size=12), st.just("a\nb\n")
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)


def paths(values, path=()):
    """Every path of a document, the document's own included."""
    yield path
    if isinstance(values, dict):
        for key, value in values.items():
            yield from paths(value, (*path, key))
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from paths(value, (*path, index))


@example({"0": {"key()": [None]}}, False)
@given(DOCUMENTS, st.sampled_from([None, False, True]))
def test_every_path_has_a_position_inside_the_text(values, flow):
    text = yaml.safe_dump(values, allow_unicode=True, default_flow_style=flow, sort_keys=False)
    document = parse_document(text.encode(), FILE)
    assert document.problems == ()
    lines = document.origin.lines
    for path in paths(document.values):
        at = document.origin.positions[path]
        assert 1 <= at.line <= len(lines)
        assert 1 <= at.column < at.end_column <= len(lines[at.line - 1]) + 2
        if path and isinstance(path[-1], str):
            assert document.origin.positions[(*path, AT_KEY)].line <= at.line


@given(DOCUMENTS)
def test_a_json_text_has_the_same_values_and_exact_positions(values):
    """JSON is YAML; there each value's text can be read back from its place."""
    text = json.dumps(values, ensure_ascii=False)
    document = parse_document(text.encode(), FILE)
    assert document.values == values
    for path in paths(values):
        at = document.origin.positions[path]
        piece = document.origin.lines[at.line - 1][at.column - 1 : at.end_column - 1]
        found = values
        for step in path:
            found = found[step]
        assert json.loads(piece) == found


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_break_the_reading(content):
    document = parse_document(content, FILE)
    assert document.values or document.problems


@given(VALUES, VALUES, VALUES)
def test_no_values_break_the_checks(tmp_path_factory, first, second, third):
    """Whatever stands where a job has something: diagnostics, never a traceback."""
    task = {"name": first, "upsert": "Account", "key": second, "from": third, "fields": first}
    query = {"name": "q", "query": second, "to": first, "needs": third}
    job = {"version": 1, "connection": third, "params": second, "defaults": first}
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(
        yaml.safe_dump({**job, "tasks": [task, query, first]}, allow_unicode=True), encoding="utf-8"
    )
    made, found = check_job(file)
    assert made is not None or found


@given(st.text(alphabet="0123456789.eExXob+-_nulNtrefasTRUE~", max_size=12))
def test_a_plain_scalar_is_text_or_what_json_would_have(text):
    value = resolve(text)
    if isinstance(value, str):
        assert value == text
    else:
        json.dumps(value, allow_nan=False)
