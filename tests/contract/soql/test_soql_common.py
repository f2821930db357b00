"""SOQL judged by Salesforce's own parser (npm `@salesforce/soql-common`)."""

import json
import subprocess
from pathlib import Path

import pytest

from runner.soql.errors import SoqlError
from runner.soql.parser import parse
from tests.contract.soql.corpus import INVALID, LOOSER, STRICTER, VALID, WITH_BINDS, changed

SCRIPT = Path(__file__).with_name("soql_common.cjs")
EVERY = 12
"""Of so many changed statements, the short form asks about one."""
VALUES = ("Invalid date", "Invalid datetime", "Invalid time")
"""Values that only look like one: 30:10:00Z. soql-common does not look into them."""


@pytest.fixture(scope="module")
def judge(installed):
    """A function that gives soql-common's objection to each statement, None for a valid one.

    It starts Node once, for all statements.
    """
    node = installed("node_modules/node/bin/node")
    installed("node_modules/@salesforce/soql-common")

    def ask(statements):
        told = [{"soql": each, "binds": each in WITH_BINDS} for each in statements]
        asked = json.dumps(told)
        answer = subprocess.run(
            [node, SCRIPT],
            input=asked,
            env={"NODE_PATH": str(node.parents[2])},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(zip(statements, json.loads(answer.stdout), strict=True))

    return ask


def ours(statement):
    """The runner's objection, None for a valid statement."""
    try:
        parse(statement)
    except SoqlError as error:
        return error
    return None


CORPUS = [*VALID, *WITH_BINDS, *INVALID, *LOOSER, *STRICTER]
CHANGED = sorted({each for statement in VALID for each in changed(statement)} - {*CORPUS})


@pytest.fixture(scope="module")
def told(judge):
    return judge([*CORPUS, *CHANGED[::EVERY]])


def test_salesforce_takes_and_refuses_what_the_corpus_says(told):
    taken = {statement for statement in CORPUS if told[statement] is None}
    assert taken == {*VALID, *WITH_BINDS, *LOOSER}


def disagreements(told):
    return [
        (statement, objection, own)
        for statement, objection in told.items()
        if (objection is None) != ((own := ours(statement)) is None)
        and not (own and str(own.words).startswith(VALUES))
    ]


def test_changed_statements_are_taken_and_refused_by_both(told):
    changed_ones = {each: objection for each, objection in told.items() if each not in CORPUS}
    assert len(changed_ones) > 300
    assert disagreements(changed_ones) == []


@pytest.mark.slow
def test_all_changed_statements_are_taken_and_refused_by_both(judge):
    assert disagreements(judge(CHANGED)) == []
