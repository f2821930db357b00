"""Files of other tools, where a job is wanted: what they are, and what to write instead.

Knows what only such a file has. Knows nothing of how one would be read; imported where a file is
not a job.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from runner.diagnostics import Diagnostic
from runner.job.documents import OTHER_KIND
from runner.job.yaml.document import Document

_MOST_CHARACTERS = 20_000
_ROWS = (".csv", ".tsv", ".jsonl", ".ndjson", ".xlsx", ".parquet", ".csv.gz")

_UNOPENED = frozenset({"yaml/no-file", "yaml/not-a-file", "yaml/unreadable"})


class _Foreign(Struct, frozen=True):
    what: str
    use: str
    """What to do; may have `{name}` or `{path}` of the file in it."""
    is_one: Callable[[Mapping[str, Any], str, str], bool]
    """Of the values, the text and the name of a file."""


def _first(value: object) -> Mapping[str, Any]:
    found = next(iter(value), None) if isinstance(value, list) else None
    return found if isinstance(found, Mapping) else {}


def _is_sfdmu(values: Mapping[str, Any], _text: str, _name: str) -> bool:
    object_set = _first(values.get("objectSets"))
    return any("query" in _first(each.get("objects")) for each in (values, object_set))


def _is_tree(values: Mapping[str, Any], _text: str, _name: str) -> bool:
    return "attributes" in _first(values.get("records"))


def _is_plan_of_trees(values: Mapping[str, Any], text: str, _name: str) -> bool:
    return not values and text.lstrip().startswith("[") and {'"sobject"', '"files"'} <= _words(text)


def _is_mapping_of_cumulusci(values: Mapping[str, Any], _text: str, _name: str) -> bool:
    return any(isinstance(each, Mapping) and "sf_object" in each for each in values.values())


def _is_cumulusci(values: Mapping[str, Any], _text: str, _name: str) -> bool:
    return "minimum_cumulusci_version" in values


def _is_data_loader(values: Mapping[str, Any], text: str, _name: str) -> bool:
    return not values and text.lstrip().startswith("<") and "dataloader" in text


def _is_sdl(values: Mapping[str, Any], _text: str, name: str) -> bool:
    return not values and name.lower().endswith(".sdl")


def _is_dbt(values: Mapping[str, Any], _text: str, name: str) -> bool:
    return "config-version" in values or (name == "dbt_project.yml" and "tasks" not in values)


def _is_drt(values: Mapping[str, Any], _text: str, _name: str) -> bool:
    return {"model", "destination"} <= values.keys()


def _is_rows(values: Mapping[str, Any], _text: str, name: str) -> bool:
    return not values and name.lower().endswith(_ROWS)


_NO_TREES = "the source of a task is CSV, or JSON without trees"
_FOREIGN = (
    _Foreign(
        "a configuration of SFDMU",
        "write a task for each of its objects; `runner org load FOLDER` creates the records of "
        "its CSV files in a local org",
        _is_sfdmu,
    ),
    _Foreign(
        "a tree of records of the Salesforce CLI",
        f"`runner org load {{path}}` creates them in a local org; {_NO_TREES}",
        _is_tree,
    ),
    _Foreign(
        "a plan of trees of the Salesforce CLI",
        f"`runner org load {{path}}` creates their records in a local org; {_NO_TREES}",
        _is_plan_of_trees,
    ),
    _Foreign(
        "a configuration of Data Loader",
        "write a task for each of its beans: `process.operation` is the verb, `sfdc.entity` the "
        "object",
        _is_data_loader,
    ),
    _Foreign(
        "a mapping of Data Loader",
        "its lines `column=Field` are `Field: column` in the `fields` of a task",
        _is_sdl,
    ),
    _Foreign(
        "a mapping of CumulusCI",
        "write a task for each of its steps: `sf_object` is the object, and a lookup is a field "
        "such as `Account.Key__c`",
        _is_mapping_of_cumulusci,
    ),
    _Foreign(
        "a project of CumulusCI",
        "the tasks of a job only read and write records; `runner init` writes a job to start from",
        _is_cumulusci,
    ),
    _Foreign(
        "a project of dbt",
        "let dbt build the table, and a task read it: `from: {{database: …, sql: …}}`",
        _is_dbt,
    ),
    _Foreign(
        "a sync of drt",
        "write a task with the SQL of its model: `from: {{database: …, sql: …}}`",
        _is_drt,
    ),
    _Foreign(
        "a file of rows",
        "a task of a job names it: `from: {name}`; `runner init` writes a job to start from",
        _is_rows,
    ),
)


def of_another_tool(document: Document) -> Diagnostic | None:
    """The problem that a file is one of another tool; None if it is not known as one."""
    if isinstance(document.values.get("tasks"), list):
        return None  # a job, whatever its parameters are called
    if any(each.code in _UNOPENED for each in document.problems):
        return None
    file = document.origin.file
    name, path = file.name, shlex.quote(str(file))
    text = "\n".join(document.origin.lines)[:_MOST_CHARACTERS]
    for each in _FOREIGN:
        if each.is_one(document.values, text, name):
            message = f"{name} is {each.what}, not a job"
            return document.origin.diagnose(
                (), OTHER_KIND, message, help=each.use.format(name=name, path=path)
            )
    return None


def _words(text: str) -> set[str]:
    return set(re.findall(r'"\w+"', text))
