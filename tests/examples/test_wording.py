"""Plain English: turns that nobody says are kept out of messages, help, docs and docstrings.

A test fails with the text and what to write instead. To add a turn, add a line to WORN.
"""

import json
import re
from pathlib import Path

import pytest

from tests.source_nodes import texts_of

ROOT = Path(__file__).parents[2]
WORN = {
    r"(?<!--)(?<!_)\banew\b": "again, or new",
    r"\bwho(?:ever|so)\b": "the person who, or somebody who",
    r"\bto be had\b": "available",
    r"\bcan(?:not)? be had\b": "is available, can be read",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bgo(?:es|ne|ing)? on with\b": "resume, continue",
    r"\b(?:brought|brings?|came|comes?) to (?:its|an|their) end\b": "finish",
    r"\bgiv(?:e|es|en|ing) (?:it|the run|a run|up) ?up\b": "abandon",
    r"\b(?:is|are|was|were) given up\b": "is abandoned",
    r"\bcarr(?:y|ies|ied|ying) (?:\w+ )?out\b": "run, execute",
    r"\bas whom\b": "which user",
    r"\b(?:is|are|was|were) told\b": "is reported, is shown",
    r"\btold (?:of|by|so)\b": "reported, known from",
    r"\btells? of\b": "describes, lists",
    r"\bnone of\b(?! (?:them|its|the|these|those|which|your|our|this))": "not a",
    r"(?<!there )\bis no (?:key|host|path|file|folder|name|number|column|job|list)\b": "is not a",
    r"\bso (?:many|long) (?:as|instead)\b": "as many as, as long as",
    r"\bstands? (?:in|at|beside|above|below|where|there|before|after|behind)\b": (
        "is, appears, is written"
    ),
    r"\bsettles?d?\b(?! (?:=|INTEGER))": "resolve, finish",
    r"\bwherefore|\bthereof|\bhereby|\bthereby|\bwhereof|\bthereto": "plain words",
    r"\bmet a defect\b": "internal error",
    r"\blies? (?:in|beside) ": "is in, is beside",
    r"\bnobody (?:could|can) tell\b": "cannot be known",
    r"\bat its turn\b": "when it starts",
    r"\bhands? (?:it|them) (?:over|on)\b": "passes",
    r"\bthe most (?:that|it)\b": "the maximum",
}
WORN_TURNS = {re.compile(turn, re.IGNORECASE): better for turn, better in WORN.items()}
SALESFORCE_SAYS = {"runner/local_org/records/refusals.py"}
"""Texts that are Salesforce's own, to the letter."""

SOURCES = [
    file
    for file in sorted((ROOT / "runner").rglob("*.py"))
    if str(file.relative_to(ROOT)) not in SALESFORCE_SAYS
]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SCHEMAS = sorted(ROOT.glob("schemas/*.json"))


def found_in(text):
    """Worn turns of a text, each with a few words around it and what to write."""
    flat = " ".join(text.split())
    return [
        f"…{flat[max(0, each.start() - 30) : each.end() + 30]}… -> {better}"
        for turn, better in WORN_TURNS.items()
        for each in turn.finditer(flat)
    ]


def texts_of_schema(value):
    """Every text of a schema that a person reads."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in {"title", "description", "errorMessage"} and isinstance(each, str):
                yield each
            else:
                yield from texts_of_schema(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_of_schema(each)


def package_of(file):
    return "/".join(file.relative_to(ROOT).parts[:-1][:2])


@pytest.mark.parametrize("package", sorted({*map(package_of, SOURCES)}))
def test_messages_and_docstrings_are_plain_english(package):
    assert [
        f"{file}: {found}"
        for file in SOURCES
        if package_of(file) == package
        for text in texts_of(file)
        if " " in text
        for found in found_in(text)
    ] == []


def without_code(page):
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_pages_are_plain_english():
    assert len(PAGES) > 50
    assert [f"{page}: {found}" for page in PAGES for found in found_in(without_code(page))] == []


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.name)
def test_schemas_are_plain_english(file):
    schema = json.loads(file.read_text(encoding="utf-8"))
    assert [found for text in texts_of_schema(schema) for found in found_in(text)] == []


def test_a_worn_turn_is_found():
    assert found_in("Mend the file, or begin\nanew.") == [
        "…Mend the file, or begin anew.… -> again, or new",
        "…Mend the file, or begin anew.… -> fix",
    ]
