import json
import re
from pathlib import Path

import duckdb
import pytest
from jsonschema import Draft202012Validator

from runner.job.origin import Origin
from runner.job.schema.files import schema_text
from runner.job.schema.validate import validate
from runner.job.yaml.document import parse_document

OWN = ["job", "org", "project"]
ORIGIN = Origin(Path("x.yaml"))


def schema(name):
    return json.loads(schema_text(name))


def objects(node, path=()):
    """Every part of a schema that describes a mapping."""
    if isinstance(node, dict):
        if node.get("type") == "object" and ("properties" in node or "patternProperties" in node):
            yield path, node
        for key, value in node.items():
            if key != "if":  # a condition, which describes nothing
                yield from objects(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from objects(value, (*path, index))


def properties(name):
    """Every property of a schema, its definition followed."""
    root = schema(name)
    for path, node in objects(root):
        for key, value in node.get("properties", {}).items():
            reference = value.get("$ref")
            found = root["$defs"][reference.rpartition("/")[2]] if reference else value
            yield "/".join(map(str, (*path[1:], key))), found


@pytest.mark.parametrize("name", OWN)
def test_schemas_are_schemas(name):
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", OWN)
def test_every_property_is_described_and_shown(name):
    found = [*properties(name)]
    assert found
    for place, each in found:
        assert each["description"].endswith((".", ")")), place
        # An example that YAML wants in quotes is a snippet: editors insert examples as they are.
        assert each.get("examples") or each.get("defaultSnippets"), place


def parts(node):
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    for each in node if isinstance(node, list) else ():
        yield from parts(each)


@pytest.mark.parametrize("name", OWN)
def test_a_description_with_code_is_markdown_for_editors(name):
    described = [each for each in parts(schema(name)) if isinstance(each.get("description"), str)]
    with_code = [each for each in described if "`" in each["description"]]
    assert with_code
    for each in with_code:
        assert each.get("markdownDescription") == each["description"]


@pytest.mark.parametrize("name", OWN)
def test_no_mapping_takes_unknown_keys(name):
    for path, node in objects(schema(name)):
        assert node.get("additionalProperties") is False, path


@pytest.mark.parametrize("name", OWN)
def test_defaults_and_examples_fit_their_own_schema(name):
    root = schema(name)
    for place, found in properties(name):
        part = {**found, "$defs": root["$defs"]}
        validator = Draft202012Validator(part)
        shown = [*found.get("examples", []), *([found["default"]] if "default" in found else [])]
        for value in shown:
            assert not list(validator.iter_errors(value)), (place, value)


def told(text, name="job", **options):
    document = parse_document(text.encode(), Path("x.yaml"))
    found = validate(document.values, document.origin, name, **options)
    return [(each.code, each.message) for each in found]


def test_a_choice_is_judged_by_the_branch_that_was_meant():
    head = "version: 1\nconnection: {environment: local}\ntasks:\n  - name: a\n    create: Lead\n"
    by_task = told(f"{head}    from: {{task: x, row: failed}}\n")
    by_file = told(f"{head}    from: {{file: x.csv, row: failed}}\n")
    assert by_task == [("job/unknown-key", "`row` is not a key of a task source")]
    assert by_file == [("job/unknown-key", "`row` is not a key of a file source")]


def test_a_key_at_a_place_where_it_has_no_meaning_is_always_a_problem_with_help():
    keys = {key for _, node in objects(schema("job")) for key in node.get("properties", {})}
    keys -= schema("job")["properties"].keys()
    for key in sorted(keys):
        found = validate({key: 1}, ORIGIN, "job")
        assert [each.help for each in found if each.code == "job/unknown-key"] != [None], key


def test_a_name_that_ends_in_a_line_break_is_no_name():
    head = "version: 1\nconnection: {environment: local}\ntasks:\n"
    found = told(f"{head}  - name: a\n    create: |\n      Account\n    from: a.csv\n")
    assert [code for code, _ in found] == ["job/bad-value"]


def test_one_definition_can_be_asked_alone():
    assert told("environment: locl\n", definition="connection") == [
        ("job/unknown-value", "`environment` cannot be `locl`")
    ]


def test_codes_bear_the_name_of_the_schema():
    assert told("version: 1\nobject: {}\n", "org") == [
        ("org/unknown-key", "`object` is not a key of an org file")
    ]


def test_a_key_of_another_place_is_explained_with_the_article_of_its_sound():
    document = parse_document(b"version: 1\nname: a\n", ORIGIN.file)
    found = list(validate(document.values, document.origin, "org"))
    assert [each.help for each in found] == ["it belongs in a user"]


def test_a_document_without_positions_is_judged_too():
    found = validate({"version": 1, "objects": 5}, ORIGIN, "org")
    assert [(each.code, each.position) for each in found] == [("org/wrong-type", None)]


DAYS = ["%d.%m.%Y", "%-m/%-d/%y", "%d %b %Y", "%B %d, %Y", "%Y%j", "%G-W%V-%u", "%x"]


@pytest.mark.parametrize(
    ("key", "written", "is_valid"),
    [("dates", each, True) for each in DAYS]
    + [("datetimes", f"{each} %H:%M", True) for each in DAYS]
    + [("datetimes", "%d.%m.%Y %H:%M %z", True), ("dates", "%d.%m.%Y %z", False)]
    + [
        ("dates", each, False)
        for each in ("%d.%m.", "%Y", "%m/%Y", "%d %Y", "%F", "%d.%m.%Y%", "x")
    ]
    + [("datetimes", each, False) for each in ("%H:%M", "%d.%m. %H:%M", "%D %T", "%s")],
)
def test_a_declared_date_names_a_whole_day(key, written, is_valid):
    pattern = schema("job")["$defs"]["file_source"]["properties"][key]["pattern"]
    assert bool(re.search(pattern, written)) is is_valid
    if is_valid:
        duckdb.connect().execute("SELECT try_strptime('x', ?)", [written])
