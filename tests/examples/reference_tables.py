"""The tables of the reference pages, made of the schemas and of the command itself.

`python tests/examples/reference_tables.py` rewrites them in the pages; a test compares them.
Knows where a table stands in a page. Knows nothing of the texts around it.
"""

import importlib.util
import json
import re
import sys
from collections import Counter
from pathlib import Path

import typer.main
import yaml

from runner.cli.app import app
from runner.engine.lookup_cost import Reading, calls, reading_for
from runner.job.limits import RAILS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
WRITES = ("create_task", "update_task", "upsert_task", "delete_task")
TASKS = (*WRITES, "query_task")
PLACES = (
    "file_body",
    "lookup",
    "record_type",
    "owner",
    "file_source",
    "folder_source",
    "numbers",
    "task_source",
    "database_source",
    "database_env",
    "database_command",
    "org_source",
    "sql_source",
    "file_target",
    "folder_target",
    "database_target",
    "child_table",
    "list",
)
NOTICES = (
    "notice",
    "recipient_env",
    "recipient_command",
    "recipient_webhook",
    "recipient_email",
    "heartbeat",
    "metrics",
)
LOOKUPS = (
    (200, 50_000_000),
    (4_800, 10_000),
    (10_000, 10_000),
    (10_000, 1_000_000),
    (100_000, 1_000_000),
    (1_000_000, 1_000_000),
    (100_000, 50_000_000),
)
"""Rows and records of the examples of how records are looked up."""
COMMON_FROM = 3
"""An option that as many commands have alike is described once."""

_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "array": "list",
    "null": "`null`",
}
_TABLE = re.compile(r"<!-- table: (?P<name>[\w -]+) -->\n.*?<!-- table end -->", re.DOTALL)


def page_tables():
    """Each generated page, and its tables by name."""
    return {
        REFERENCE / "job-file.md": _job_tables(job_schema()),
        REFERENCE / "local-org.md": _org_tables(_schema("org")),
        REFERENCE / "environment.md": {
            "project file": _keys(_schema("project"), _schema("project"))
        },
        REFERENCE / "test-file.md": _test_tables(_schema("test")),
        REFERENCE / "local-org-coverage.md": _module(
            Path(__file__).with_name("route_tables.py")
        ).tables(),
        REFERENCE / "cli.md": _command_tables(commands()),
        REFERENCE / "values.md": _value_tables(),
        REFERENCE / "where-is-it-done.md": _where_tables(job_schema()),
    }


def filled(text, tables):
    """A page's text with every table as it should be; KeyError for one that nobody knows."""
    return _TABLE.sub(
        lambda found: f"<!-- table: {found['name']} -->\n{tables[found['name']]}<!-- table end -->",
        text,
    )


def job_schema():
    """The schema of job files."""
    return _schema("job")


def _schema(name):
    return json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


def commands():
    """Every command by what is typed for it: `run`, `org serve`."""
    found = {}
    open_ends = [("", typer.main.get_command(app))]
    while open_ends:
        name, command = open_ends.pop()
        children = getattr(command, "commands", None)
        if children is None:
            found[name] = command
        else:
            open_ends += [(f"{name} {child}".strip(), each) for child, each in children.items()]
    return found


def _job_tables(schema):
    definitions = schema["$defs"]
    tasks = {name: definitions[name]["properties"] for name in TASKS}
    shared = {key for key in tasks["query_task"] if all(key in tasks[name] for name in WRITES)}
    of_writes = {key for key in tasks["create_task"] if all(key in tasks[name] for name in WRITES)}
    tables = {
        "job": _keys(schema, schema),
        "every task": _keys(definitions["query_task"], schema, shared),
        "every write": _keys(definitions["create_task"], schema, of_writes - shared),
    }
    for name in (
        "connection",
        "connection_targets",
        "param",
        "retry",
        "options",
        "defaults",
        *NOTICES,
    ):
        tables[name] = _keys(definitions[name], schema)
    for name in (*PLACES, "token_env", "token_command"):
        tables[name] = _keys(definitions[name], schema)
    for name in ("token_file", "token_keyring", "token_state", "jwt", "client_credentials"):
        tables[name] = _keys(definitions[name], schema)
    tables["lookups"] = _lookup_table()
    tables["job limits"] = _keys(definitions["limits"], schema)
    tables["task limits"] = _keys(definitions["task_limits"], schema)
    tables["rails"] = _rail_table()
    branches = definitions["auth_jwt"], definitions["auth_client_credentials"]
    flows = {key: value for each in branches for key, value in each["properties"].items()}
    tables["auth"] = _keys({"properties": flows}, schema)
    for name in ("mirror_task", "merge_task"):
        own = definitions[name]["properties"].keys() - shared - of_writes
        tables[name] = _keys(definitions[name], schema, own)
    for name in TASKS:
        own = tasks[name].keys() - shared - of_writes
        tables[name] = _keys(definitions[name], schema, own)
    return tables


def _value_tables():
    """The cases of the tests of values."""
    tests = ROOT / "tests" / "unit" / "tables"
    values = _module(tests / "value_cases.py")
    return {
        "fits": values.fits_table(),
        "typed": values.typed_table(),
        "excel cells": _module(tests / "sources" / "excel_cells.py").table(),
        "out": values.out_table(),
        "functions": values.functions_table(),
        "equal": _module(tests / "equality_cases.py").table(),
    }


def _rail_table():
    """Every limit: what it counts, of which tasks, and what it takes to judge it."""
    lines = [
        "| limit | counts | in tasks that | needs | problem |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rail, rule in RAILS.items():
        needs = {}
        for verb, need in rule.verbs.items():
            needs.setdefault(need, []).append(f"`{verb}`")
        for need, verbs in needs.items():
            cells = (f"`{rail}`", rule.counts, ", ".join(verbs), need, f"`{rule.code}`")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _lookup_table():
    """How records are looked up, for some numbers of rows and records."""
    lines = [
        "| rows | records | looked up | API calls | otherwise |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rows, records in LOOKUPS:
        chosen = reading_for(rows, lambda count=records: count)
        costs = {way: calls(way, rows, records) for way in Reading}
        other = next(way for way in Reading if way is not chosen)
        cells = (
            f"{rows:,}",
            f"{records:,}",
            chosen,
            f"{costs[chosen]:,}",
            f"{costs[other]:,} {other}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _module(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _where_tables(schema):
    where = _module(Path(__file__).with_name("where_tables.py"))
    definitions = schema["$defs"]
    tasks = [key for name in TASKS for key in definitions[name]["properties"]]
    keys = (
        ("job", schema["properties"]),
        ("connection", definitions["connection"]["properties"]),
        ("task", dict.fromkeys(tasks)),
        ("retry", definitions["retry"]["properties"]),
        ("options", definitions["options"]["properties"]),
        ("file", definitions["file_source"]["properties"]),
    )
    return {
        "keys": where.key_table(keys),
        "codes": where.table("code", where.with_text(r"^(?:job|yaml|org)/[a-z-]+$").items()),
        "row codes": where.table("code", where.with_text(r"^[A-Z]+(?:_[A-Z]+)+$").items()),
        "errors": where.table("error", where.raisers().items()),
    }


def _org_tables(schema):
    definitions = schema["$defs"].items()
    parts = {name: _keys(part, schema) for name, part in definitions if "properties" in part}
    return {"org": _keys(schema, schema), **parts}


def _test_tables(schema):
    parts = ("given", "killed", "expect", "counts", "failed_row", "records")
    own = {name.replace("_", " "): _keys(schema["$defs"][name], schema) for name in parts}
    return {
        "test file": _keys(schema, schema),
        "test": _keys(schema["$defs"]["test"], schema),
        **own,
    }


def _keys(mapping, schema, only=None):
    """The table of a mapping's keys."""
    rows = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for key, written in mapping["properties"].items():
        if only is not None and key not in only:
            continue
        meant = _resolved(written, schema)
        name = f"**`{key}`**" if key in mapping.get("required", ()) else f"`{key}`"
        cells = (name, _takes(meant, schema), _default(meant), _meaning(meant))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _resolved(written, schema):
    reference = written.get("$ref")
    return schema["$defs"][reference.removeprefix("#/$defs/")] if reference else written


def _takes(meant, schema):
    if "const" in meant:
        return _code(meant["const"])
    if "enum" in meant:
        return ", ".join(map(_code, meant["enum"]))
    if "anyOf" in meant:
        branches = (_takes(_resolved(each, schema), schema) for each in meant["anyOf"])
        return ", or ".join(sorted(dict.fromkeys(branches), key=lambda words: words == "mapping"))
    types = meant["type"] if isinstance(meant["type"], list) else [meant["type"]]
    words = ", ".join(_WORDS[each] for each in types)
    if words == "text" and "30s, 5m" in meant.get("errorMessage", ""):
        words = "duration"
    if "maximum" in meant:
        words += f", {meant['minimum']:,} to {meant['maximum']:,}"
    return words


def _default(meant):
    default = meant.get("default")
    return "" if default in (None, "", {}, []) else _code(default)


def _meaning(meant):
    examples = [_code(each) for each in meant.get("examples", ()) if not _is_long(each)]
    text = meant["description"].replace("|", "\\|")
    return f"{text} Example: {', '.join(examples)}." if examples and "enum" not in meant else text


def _is_long(value):
    return len(_written(value)) > 60


def _code(value):
    return f"`{_written(value)}`".replace("|", "\\|")


def _written(value):
    """A value as a job file has it."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    style = '"' if isinstance(value, str) and re.fullmatch(r"[\d.]+", value) else None
    text = yaml.safe_dump(
        value, default_flow_style=True, default_style=style, width=10_000, allow_unicode=True
    )
    return text.strip().removesuffix("...").strip()


def _command_tables(known):
    """A table for each command, and one of the options that three or more have alike."""
    cells = {name: [*map(_option_cells, _visible(each))] for name, each in known.items()}
    count = Counter(row for rows in cells.values() for row in rows if row[0].startswith("`-"))
    common = [row for row, times in count.items() if times >= COMMON_FROM]
    tables = {"common options": _rows(common)}
    for name, rows in cells.items():
        own = [row for row in rows if row not in common]
        names = [row[0].split()[0].strip("`,") for row in rows if row in common]
        links = ", ".join(f"`{each}`" for each in names)
        also = f"\n[Common options](#common-options): {links}.\n" if names else ""
        tables[name] = (_rows(own) if own else "") + also
    return tables


def _visible(command):
    return [each for each in command.params if not each.hidden]


def _rows(cells):
    rows = ["| argument or option | variable | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*rows, *(f"| {' | '.join(each)} |" for each in cells)]) + "\n"


def _option_cells(parameter):
    names = [each for each in parameter.opts if each.startswith("-")]
    metavar = f" {parameter.metavar}" if parameter.metavar else ""
    spelled = ", ".join(f"`{each}{metavar}`" for each in names) or f"`{parameter.metavar}`"
    default = parameter.default
    shown = "" if default in (None, False, 0) and str(default) != "0.0" else f"`{default}`"
    variable = f"`{parameter.envvar}`" if parameter.envvar else ""
    return spelled, variable, shown, (parameter.help or "").replace("|", "\\|")


def main():
    """Rewrite the tables."""
    for page, tables in page_tables().items():
        page.write_text(filled(page.read_text(encoding="utf-8"), tables), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # for what `where_tables.py` imports
    main()
