import json
from pathlib import Path

from runner.diagnostics import Diagnostic, Position, Severity
from runner.report.diagnostics import diagnostic_document, render_diagnostic

FILE = Path("jobs/a.yaml")


def diagnostic(line, column, end_column, **parts):
    position = Position(12, column, end_column)
    return Diagnostic("job/x", "something", FILE, position, line, **parts)


def test_a_problem_is_told_with_its_line_and_a_mark():
    found = diagnostic("    upsrt: Account", 5, 10, help="did you mean `upsert`?")
    assert render_diagnostic(found).splitlines() == [
        "error[job/x]: something",
        "  --> jobs/a.yaml:12:5",
        "   |",
        "12 |     upsrt: Account",
        "   |     ^^^^^",
        "   = help: did you mean `upsert`?",
    ]


def test_a_problem_of_the_whole_file_has_no_line():
    found = Diagnostic("yaml/empty", "the file is empty", FILE, severity=Severity.WARNING)
    assert render_diagnostic(found) == "warning[yaml/empty]: the file is empty\n --> jobs/a.yaml"


def mark(line, column, end_column):
    text, carets = render_diagnostic(diagnostic(line, column, end_column)).splitlines()[3:5]
    return text.removeprefix("12 | "), carets.removeprefix("   | ")


def test_carets_stand_under_wide_and_combining_characters():
    text, carets = mark("a: 日本 x", 4, 6)
    assert (text, carets) == ("a: 日本 x", "   ^^^^")
    assert mark("a: 日本 x", 7, 8)[1] == " " * 8 + "^"
    assert mark("e\u0301: x", 5, 6)[1] == "   ^"
    assert mark("a: \U0001f600 x", 6, 7)[1] == " " * 6 + "^"


def test_a_tab_is_one_space_and_control_characters_reach_no_terminal():
    text, carets = mark("\ta: \x1b[31m\u202ex", 2, 3)
    assert text == " a: �[31m�x"
    assert carets == " ^"


def test_a_long_line_is_shown_around_the_problem():
    text, carets = mark("a" * 500 + "BAD" + "c" * 500, 501, 504)
    assert "BAD" in text
    assert len(text) <= 122
    assert (text[0], text[-1]) == ("…", "…")
    assert text[carets.index("^") : carets.index("^") + 3] == "BAD"


def test_a_mark_at_the_end_of_a_line_is_one_caret():
    assert mark("from:", 6, 7) == ("from:", "     ^")


def test_the_json_form_holds_everything():
    found = diagnostic("    upsrt: Account", 5, 10, help="h", path=("tasks", 0, "upsrt"))
    assert json.loads(json.dumps(diagnostic_document(found))) == {
        "severity": "error",
        "code": "job/x",
        "message": "something",
        "file": "jobs/a.yaml",
        "line": 12,
        "column": 5,
        "end_column": 10,
        "path": ["tasks", 0, "upsrt"],
        "help": "h",
    }
