"""Objects and lists inside JSON rows, and the shapes in which Salesforce writes records."""

import json

import pytest

from runner.errors import SourceError
from runner.job.endpoints import FileFormat
from runner.tables.field_types import MappedColumn
from runner.tables.sources.open import columns_of
from runner.tables.sources.sql_join import JoinedSource

TYPE = {"type": "Contact", "url": "/services/data/v62.0/sobjects/Contact/003"}
RECORDS = [
    {"attributes": TYPE, "LastName": "A", "Account": None},
    {"attributes": TYPE, "LastName": "B", "Account": {"attributes": TYPE, "ERP_Id__c": "E1"}},
    {"attributes": TYPE, "LastName": "C", "Account": {"ERP_Id__c": "E2", "Owner": {"Alias": "x"}}},
]
FLAT = [
    {"LastName": "A"},
    {"LastName": "B", "Account.ERP_Id__c": "E1"},
    {"LastName": "C", "Account.ERP_Id__c": "E2", "Account.Owner.Alias": "x"},
]
ANSWERS = {
    "array": RECORDS,
    "query": {"totalSize": 3, "done": True, "records": RECORDS},
    "tree": {"records": RECORDS},
    "cli": {
        "status": 0,
        "result": {"records": RECORDS, "totalSize": 3, "done": True},
        "warnings": [],
    },
}


@pytest.mark.parametrize("name", ANSWERS)
def test_records_and_their_parents_are_read_as_salesforce_writes_them(stage, rows_of, name):
    content = json.dumps(ANSWERS[name], indent=1).encode()
    assert rows_of(stage(content, form=FileFormat.JSON)) == FLAT
    source = stage.source(content, FileFormat.JSON)
    assert columns_of(source) == ("LastName", "Account.ERP_Id__c", "Account.Owner.Alias")


def test_json_lines_have_parents_too(stage, rows_of):
    lines = "\n".join(map(json.dumps, RECORDS)).encode()
    assert rows_of(stage(lines, form=FileFormat.JSONL)) == FLAT


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"records": [{"a": 1}], "done": False, "nextRecordsUrl": "/x"}, "`done` is false"),
        ({"a": 1}, "an object with `records`, is expected"),
        ({"result": {"a": [1]}}, "an object with `records`, is expected"),
    ],
)
def test_an_answer_that_is_not_all_records_is_refused(stage, answer, said):
    with pytest.raises(SourceError, match="line 1: not a JSON array of objects") as raised:
        stage(json.dumps(answer).encode(), form=FileFormat.JSON)
    assert said in raised.value.hint


@pytest.mark.parametrize(
    "answer",
    [
        {"totalSize": 5, "done": True, "records": RECORDS},
        {"status": 0, "result": {"records": RECORDS, "totalSize": 2, "done": True}},
        {"totalSize": 5, "done": True, "records": []},
    ],
)
def test_an_answer_with_other_records_than_it_counts_is_refused(stage, answer):
    with pytest.raises(SourceError, match=r"it has [03] records, but its `totalSize` is [25]\."):
        stage(json.dumps(answer).encode(), form=FileFormat.JSON)


def test_a_member_with_the_name_of_a_column_fails_its_row(stage, failed_rows):
    staging = stage(b'{"a.b": 1, "a": {"b": 2}}\n{"a": {"b": 3}}', form=FileFormat.JSONL)
    (failed,) = failed_rows(staging)
    assert failed["sf__Message"] == "line 1: the column 'a.b' appears twice in one object"


def test_an_object_that_is_mapped_as_a_value_is_refused_with_the_path_to_its_members(stage):
    content = b'{"address": {"city": "Bonn", "lines": {"first": "x"}}}'
    with pytest.raises(SourceError, match="no column 'address'") as raised:
        stage(content, [MappedColumn("BillingCity", "address")], form=FileFormat.JSONL)
    assert """write one of its members: `'"address.city"'` or""" in raised.value.hint


def test_a_path_to_a_member_is_a_column(stage, rows_of):
    content = b'{"address": {"city": "Bonn"}}'
    column = MappedColumn("BillingCity", '"address.city"')
    assert rows_of(stage(content, [column], form=FileFormat.JSONL)) == [{"BillingCity": "Bonn"}]


def test_a_list_is_joined_for_a_multi_select_picklist_and_nothing_else(stage, rows_of):
    lines = b'{"c": ["A", "B"]}\n{"c": []}\n{"c": "A;C"}\n{"c": null, "x": 1}\n{"c": [1, true]}\n'
    many = MappedColumn("Many__c", "c", is_list=True)
    assert rows_of(stage(lines, [many], form=FileFormat.JSONL)) == [
        {"Many__c": "A;B"}, {}, {"Many__c": "A;C"}, {}, {"Many__c": "1;true"}
    ]  # fmt: skip
    with pytest.raises(SourceError, match="'c' has lists, which only a multi-select") as raised:
        stage(lines, [MappedColumn("Text__c", "c")], form=FileFormat.JSONL)
    assert "Text__c: \"c->>'$[0]'\"" in raised.value.hint
    first = stage(lines, [MappedColumn("Text__c", "c->>'$[0]'")], form=FileFormat.JSONL)
    assert rows_of(first)[0] == {"Text__c": "A"}


MIXED = [b'{"b": {"c": 1}, "n": 1}', b'{"b": "x", "n": 2}']


@pytest.mark.parametrize("lines", [MIXED, MIXED[::-1]])
def test_a_column_that_is_an_object_in_some_rows_needs_an_expression(stage, rows_of, lines):
    content = b"\n".join(lines)
    with pytest.raises(SourceError, match="'b' is an object in some rows and one") as raised:
        stage(content, [MappedColumn("M", "b")], form=FileFormat.JSONL)
    assert 'coalesce(b, "b.member")' in raised.value.hint
    columns = [MappedColumn("n", None), MappedColumn("M", 'coalesce(b, "b.c")')]
    rows = rows_of(stage(content, columns, form=FileFormat.JSONL))
    assert sorted(map(str, rows)) == ["{'n': '1', 'M': '1'}", "{'n': '2', 'M': 'x'}"]
    source = JoinedSource("SELECT b AS M FROM t", {"t": stage.source(content, FileFormat.JSONL)})
    with pytest.raises(SourceError, match="is an object in some rows"):
        stage.staging(source).map([MappedColumn("M", None)])


def test_members_of_an_object_and_columns_with_points_in_their_names_are_apart(stage, rows_of):
    lines = b'{"b": null}\n{"b": {"c": "x"}}\n{"a": "1", "a.c": "2"}'
    columns = [MappedColumn("A", "a"), MappedColumn("B", '"b.c"')]
    assert rows_of(stage(lines, columns, form=FileFormat.JSONL)) == [{"B": "x"}, {"A": "1"}]
    lines = b'{"a": null, "a.c": "2"}\n{"a": "1", "a.c": "2"}'
    rows = rows_of(stage(lines, columns[:1], form=FileFormat.JSONL))
    assert [row for row in rows if row] == [{"A": "1"}]


@pytest.mark.parametrize("items", ['["A;B", "C"]', '["A", null]', '[["A"]]', '[{"a": 1}]'])
def test_a_list_that_a_multi_select_picklist_cannot_have_fails_its_row(stage, failed_rows, items):
    staging = stage(
        f'{{"c": {items}}}'.encode(), [MappedColumn("M", "c", is_list=True)], form=FileFormat.JSONL
    )
    (failed,) = failed_rows(staging)
    assert failed["sf__Code"] == "VALUE_DOES_NOT_FIT"
    assert "is not a list of texts without ;" in failed["sf__Message"]


def test_a_picklist_value_that_only_looks_like_a_list_is_a_text(stage, rows_of):
    staging = stage(b"c,d\n[A],x\n", [MappedColumn("M", "c", is_list=True)])
    assert rows_of(staging) == [{"M": "[A]"}]


LISTS = b'n,c\n1,"A, B"\n2,\n3,C\n4,"A;B,C"\n'


@pytest.mark.parametrize("is_sql", [False, True])
def test_a_list_of_an_expression_is_as_one_of_json(stage, rows_of, failed_rows, is_sql):
    many = "list_transform(string_split(c, ','), lambda x: trim(x))"
    if is_sql:
        source = JoinedSource(f"SELECT n, {many} AS M FROM t", {"t": stage.source(LISTS)})
        staging, expression = stage.staging(source), None
    else:
        staging, expression = stage.loaded(LISTS), many
    staging.map([MappedColumn("n", None), MappedColumn("M", expression, is_list=True)])
    assert rows_of(staging) == [{"n": "1", "M": "A;B"}, {"n": "2"}, {"n": "3", "M": "C"}]
    assert [row["sf__Code"] for row in failed_rows(staging)] == ["VALUE_DOES_NOT_FIT"]


@pytest.mark.parametrize(
    ("expression", "is_list", "kind"),
    [
        ("string_split(c, ',')", False, "a list"),
        ("[[c]]", True, "a list"),
        ("{'a': c}", False, "a structure"),
        ("map([c], [n])", True, "a structure"),
    ],
)
def test_a_value_of_sql_that_is_not_one_value_is_refused(stage, expression, is_list, kind):
    column = MappedColumn("M", expression, is_list=is_list)
    with pytest.raises(SourceError, match=f"the expression gives {kind}") as raised:
        stage(LISTS, [column])
    assert raised.value.hint
    sql = JoinedSource(f"SELECT {expression} AS M FROM t", {"t": stage.source(LISTS)})
    with pytest.raises(SourceError, match=r"not one value|has lists, which only"):
        stage.staging(sql).map([MappedColumn("M", None, is_list=is_list)])


@pytest.mark.parametrize(
    ("path", "is_list", "sent"),
    [
        ("$.city", False, {"M": "Bonn"}),
        ("$.none", False, {}),
        ("$.tags[0]", False, {"M": "A"}),
        ("$.size", False, {"M": "1.5"}),
        ("$.tags", True, {"M": "A;B"}),
        ("$.lines", False, {"M": '{"first":"x"}'}),
    ],
)
def test_a_part_of_json_has_no_quotes(stage, rows_of, path, is_list, sent):
    part = {"city": "Bonn", "none": None, "tags": ["A", "B"], "lines": {"first": "x"}, "size": 1.5}
    text = json.dumps(part)
    content = f"""c\n"{text.replace('"', '""')}"\n""".encode()
    expression = f"c->'{path}'"
    assert rows_of(stage(content, [MappedColumn("M", expression, is_list=is_list)])) == [sent]
    sql = JoinedSource(f"SELECT {expression} AS M, 'x' AS x FROM t", {"t": stage.source(content)})
    staging = stage.staging(sql)
    staging.map([MappedColumn("M", None, is_list=is_list)])
    assert rows_of(staging) == [sent]
