"""The schemas in editors: what yaml-language-server says and offers, and whether ajv takes them."""

import os
import re
import subprocess
from itertools import product
from pathlib import Path

import pytest

from tests.contract.clients.yaml_language_server import YamlLanguageServer

SCHEMA = Path(__file__).parents[3] / "schemas/job.schema.json"
ORG_SCHEMA = SCHEMA.with_name("org.schema.json")
JOB = "version: 1\nname: test\n"
CONNECTION = "connection: {environment: local}\n"
TASK = f"{JOB}{CONNECTION}tasks:\n  - name: one\n"
CREATE = f"{TASK}    create: Account\n"
QUERY = f"{TASK}    query: SELECT Id FROM Account\n"
PLACES = {
    "job": "{}\n",
    "connection": f"{JOB}connection:\n  {{}}\n",
    "auth": f"{JOB}connection:\n  environment: live\n  auth:\n    jwt:\n      {{}}\n",
    "param": f"{JOB}{CONNECTION}params:\n  region:\n    {{}}\n",
    "defaults": f"{JOB}{CONNECTION}defaults:\n  {{}}\n",
    "task": f"{JOB}{CONNECTION}tasks:\n  - {{}}\n",
    "named task": f"{TASK}    {{}}\n",
    "create task": f"{CREATE}    {{}}\n",
    "upsert task": f"{TASK}    upsert: Account\n    {{}}\n",
    "query task": f"{QUERY}    {{}}\n",
    "source": f"{CREATE}    from:\n      {{}}\n",
    "target": f"{QUERY}    to:\n      {{}}\n",
    "retry": f"{CREATE}    retry:\n      {{}}\n",
    "options": f"{CREATE}    options:\n      {{}}\n",
}
OBJECT = "version: 1\nobjects:\n  Invoice__c:\n"
ORG_PLACES = {
    "org": "{}\n",
    "object": f"{OBJECT}    {{}}\n",
    "name field": f"{OBJECT}    name_field:\n      {{}}\n",
    "field": f"{OBJECT}    fields:\n      Paid__c:\n        type: text\n        {{}}\n",
    "validation rule": f"{OBJECT}    validation_rules:\n      Paid:\n        {{}}\n",
    "duplicate rule": f"{OBJECT}    duplicate_rules:\n      Same:\n        {{}}\n",
    "app": "version: 1\napps:\n  - {}\n",
    "fault": "version: 1\nfaults:\n  - kind: status\n    {}\n",
}
NOT_QUOTED = {"decimal: ,"}
"""yaml-language-server inserts an enum's values as they are; this one needs quotes in YAML."""
UNFINISHED = ("Missing property", "At least one of the required")


@pytest.fixture(scope="module")
def edited(installed):
    """A function that starts an editor with a schema."""
    node = installed("node_modules/node/bin/node")
    script = installed("node_modules/yaml-language-server/bin/yaml-language-server")
    return lambda schema: YamlLanguageServer(node, script, schema)


@pytest.fixture(scope="module")
def editor(edited):
    with edited(SCHEMA) as server:
        yield server


@pytest.fixture(scope="module")
def org_editor(edited):
    with edited(ORG_SCHEMA) as server:
        yield server


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("    from: {fil: a.csv}\n", "Property fil is not allowed."),
        ("    from: {file: a.csv, formt: csv}\n", "Property formt is not allowed."),
        ("    from: {database: {env: X}, sq: x}\n", "Property sq is not allowed."),
        ("    from: {database: {evn: X}, sql: x}\n", "Property evn is not allowed."),
        ("    from: a.csv\n    max_failures: 10 %\n", "Use a whole number of rows, or a share"),
        (
            "    from: a.csv\n    fields: {Name: 5}\n",
            'Incorrect type. Expected "file body | lookup | record type | owner | string".',
        ),
        ("    from: a.csv\n    fields: {Body: {fil: a}}\n", "Property fil is not allowed."),
        ("    from: a.csv\n    to: b.csv\n", "Property to is not allowed."),
    ],
)
def test_the_branch_that_fits_best_decides_the_message(editor, text, message):
    messages = [found for _, found in editor.problems(CREATE + text)]
    assert any(found.startswith(message) for found in messages), messages
    assert not any(found.startswith("Use a path") for found in messages)


@pytest.mark.parametrize("token", ["{evn: X}", "{file: t.json, kye: {env: X}}"])
def test_a_wrong_key_of_a_reference_is_named(editor, token):
    connection = f"connection: {{environment: live, client_id: x, token: {token}}}\n"
    tasks = "tasks: [{name: a, create: Account, from: a.csv}]\n"
    messages = [found for _, found in editor.problems(JOB + connection + tasks)]
    assert any(re.match(r"Property (evn|kye) is not allowed\.", found) for found in messages)


VERBS = ["create", "update", "upsert", "delete", "query"]


def test_whole_tasks_are_offered_where_a_task_has_no_verb_yet(editor):
    tasks = {f"{verb} task" for verb in VERBS}
    assert tasks <= editor.completions(PLACES["task"].replace("{}", "|")).keys()
    named = editor.completions(PLACES["named task"].replace("{}", "|"))
    assert tasks <= named.keys()
    assert "name:" not in named["create task"]
    inside = editor.completions(PLACES["create task"].replace("{}", "|"))
    assert not {"update task", "upsert task", "delete task", "query task"} & inside.keys()


@pytest.mark.parametrize("verb", VERBS)
def test_a_whole_task_is_valid_as_it_is_offered(editor, verb):
    offered = editor.completions(PLACES["task"].replace("{}", "|"))[f"{verb} task"]
    (text,) = expanded(offered)
    inserted = text.replace("\n", "\n  ")
    assert editor.problems(PLACES["task"].replace("{}", inserted)) == []


def test_fixed_text_is_not_offered_as_a_column(editor):
    assert "Retail" not in editor.completions(PLACES["create task"].replace("{}", "|"))["fields"]
    value = f"{CREATE}    from: a.csv\n    fields:\n      Industry: |\n"
    assert not any("'" in inserted for inserted in editor.completions(value).values())


def test_the_threshold_of_writes_is_not_offered_for_queries(editor):
    for place in ("query task", "defaults"):
        offered = editor.completions(PLACES[place].replace("{}", "|"))
        assert "2000" not in str(offered)


def test_code_in_descriptions_is_shown_as_code(editor):
    hover = editor.hover(f"{CREATE}    bulk_thre|shold: 500\n")
    assert "`api: auto`" in hover
    assert "\\`" not in hover


COMPILE = """
const [file] = process.argv.slice(-1)
const Ajv = require('ajv/dist/2020').default
const ajv = new Ajv({strict: true, ...JSON.parse(process.env.OPTIONS)})
ajv.addVocabulary(['errorMessage', 'markdownDescription', 'defaultSnippets', 'doNotSuggest'])
ajv.addFormat('date-time', true)
ajv.compile(JSON.parse(require('fs').readFileSync(file)))
"""


@pytest.mark.parametrize("name", ["job", "org", "run", "token"])
def test_the_strict_mode_of_ajv_takes_the_schema(installed, name):
    assert compiled(installed, SCHEMA.with_name(f"{name}.schema.json")) == (0, "")


def compiled(installed, schema, options="{}"):
    """The exit code of ajv for a schema, and what it warns of."""
    modules = installed("node_modules/ajv").parent
    ended = subprocess.run(
        [installed("node_modules/node/bin/node"), "-e", COMPILE, schema],
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(modules), "OPTIONS": options},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stderr


def expanded(snippet):
    """A snippet as it is when nobody fills in its places; several, if a place is a choice."""
    parts = re.split(r"\$\{\d+\|(.*?)\|\}", snippet)
    choices = [each.split(",") if at % 2 else [each] for at, each in enumerate(parts)]
    for chosen in product(*choices):
        text = re.sub(r"\$\{\d+:((?:\\.|[^}])*)\}|\$\{?\d+\}?", r"\1", "".join(chosen))
        yield re.sub(r"\\([\\$}])", r"\1", text)


def completed(editor, text):
    """Every text that a completion gives at `{}`, of keys and of the values of each key."""
    # As editors do: further lines of a snippet are indented like the line that it is put into.
    indent = re.match(r" *", text[: text.index("{}")].rpartition("\n")[2])[0]
    for label, inserted in editor.completions(text.replace("{}", "|")).items():
        for words in expanded(inserted):
            yield label, text.replace("{}", words.replace("\n", f"\n{indent}").strip("\n "))
        key = re.match(r"([a-z_]+):\s*\$?\d*$", inserted)
        if key is None:
            continue
        values = editor.completions(text.replace("{}", f"{key[1]}: |"))
        for value, given in values.items():
            for words in expanded(given or value):
                whole = f"{key[1]}: {words}".replace("\n", f"\n{indent}").rstrip()
                yield f"{key[1]}: {value}", text.replace("{}", whole)


def wrong_in(editor, text):
    """What a completion gives that has problems, and how many completions were tried."""
    wrong = []
    offered = list(completed(editor, text))
    all_problems = editor.problems_of([whole for _, whole in offered])
    for (label, whole), told in zip(offered, all_problems, strict=True):
        lines = whole.split("\n")
        problems = [
            found
            for line, found in told
            if not found.startswith(UNFINISHED) and not re.search(r"[:-]\s*$", lines[line - 1])
        ]
        if problems and label not in NOT_QUOTED:
            wrong.append((label, whole, problems))
    return wrong, len(offered)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_wrong_is_offered(editor, place):
    wrong, offered = wrong_in(editor, PLACES[place])
    assert wrong == []
    assert offered


@pytest.mark.parametrize("place", ORG_PLACES)
def test_nothing_wrong_is_offered_in_an_org_file(org_editor, place):
    wrong, offered = wrong_in(org_editor, ORG_PLACES[place])
    assert wrong == []
    assert offered
