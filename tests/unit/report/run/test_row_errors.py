"""Rows that failed, by code and fields."""

from runner.report.run.row_errors import EXAMPLES, LONGEST_VALUE, row_errors

HEADER = "Name,Email,sf__Row,sf__Id,sf__Code,sf__Message,sf__Fields\n"


def test_rows_are_grouped_by_code_and_fields_the_largest_first(tmp_path):
    rows = [f"N{n},e{n},{n},,STRING_TOO_LONG,Name: too long,Name\n" for n in range(10)]
    rows += ["Ada,x@,11,,INVALID_EMAIL_ADDRESS,Email: x@,Email\n", 'B,"a\nb",12,,LOCKED,,\n']
    (tmp_path / "failed.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    (tmp_path / "in_doubt.csv").write_text(HEADER + "C,c,13,,TIMEOUT,,\n", encoding="utf-8")
    found = row_errors(tmp_path)
    assert [(each.code, each.fields, each.rows, each.file) for each in found.groups] == [
        ("STRING_TOO_LONG", "Name", 10, "failed.csv"),
        ("INVALID_EMAIL_ADDRESS", "Email", 1, "failed.csv"),
        ("LOCKED", "", 1, "failed.csv"),
        ("TIMEOUT", "", 1, "in_doubt.csv"),
    ]
    assert len(found.groups[0].examples) == EXAMPLES
    (example,) = found.groups[1].examples
    assert example.row == "11"
    assert [(each.column, each.value, each.is_named) for each in example.cells] == [
        ("Email", "x@", True),
        ("Name", "Ada", False),
    ]
    assert found.groups[2].examples[0].cells[1].value == "a b"
    assert found.columns == {"Name", "Email"}


def test_a_masked_value_is_nowhere(tmp_path):
    rows = [
        "Ada <ada@x.example>,ada@x.example,1,,BAD,Duplicate of ada@x.example,\n",
        "Bob,bob@x.example,2,,BAD,EMAIL is wrong: b-o-b,\n",
    ]
    (tmp_path / "failed.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    one, two = row_errors(tmp_path, ["email"]).groups[0].examples
    assert [each.value for each in one.cells] == ["Ada <***>", "***"]
    assert one.message == "Duplicate of ***"
    assert two.message == "***", "it names the column, and may quote the value in another form"


def test_a_long_value_is_cut_and_a_folder_without_files_has_no_groups(tmp_path):
    assert row_errors(tmp_path / "none").groups == ()
    long = "x" * 100_000
    (tmp_path / "failed.csv").write_text(f"{HEADER}{long},e,1,,BAD,,\n", encoding="utf-8")
    cell = row_errors(tmp_path).groups[0].examples[0].cells[0]
    assert cell.value == "x" * (LONGEST_VALUE - 1) + "…"


def test_a_file_that_a_spreadsheet_has_saved_is_read_as_far_as_it_can_be(tmp_path):
    text = HEADER + "M\u00fcller,e,1,,BAD,,\nB\0b,e,2,,BAD,,\n"
    (tmp_path / "failed.csv").write_bytes(text.encode("cp1252"))
    (group,) = row_errors(tmp_path).groups
    assert group.rows == 2
    assert group.examples[0].cells[0].value == "M\N{REPLACEMENT CHARACTER}ller"
    (tmp_path / "failed.csv").write_bytes(
        b"\xef\xbb\xbf" + HEADER.replace(",", ";").encode() + b"a;b\n"
    )
    assert row_errors(tmp_path).groups[0].code == ""
