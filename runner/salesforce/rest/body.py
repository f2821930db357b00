"""Records as the REST API expects them: nested parents, headers for a write's options.

Pure. Knows nothing of the requests they are sent in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.job.choices import WriteOptions
from runner.salesforce.rest.values import Record
from runner.salesforce.versions import Feature, require


def nested(record: Record, lookups: Mapping[str, str]) -> dict[str, Any]:
    """A record with its relationship columns as objects.

    `Account.ERP_Id__c` becomes `{"Account": {"ERP_Id__c": ...}}`; for `Contact:Who.Ext__c` the
    object also has its type. None clears the reference field itself, if `lookups` names it: a
    parent without a key would be an error.
    """
    if "." not in "".join(record):
        return dict(record)
    body: dict[str, Any] = {}
    for path, value in record.items():
        target, _, column = path.rpartition(":")
        relationship, dot, field = column.partition(".")
        if not dot:
            body[path] = value
        elif value is None:
            body[lookups.get(path, relationship)] = None
        else:
            body[relationship] = {**_typed(target), field: value}
    return body


def option_headers(options: WriteOptions, api_version: str) -> dict[str, str]:
    """The headers of a write's options.

    Assignment rules run only when asked for. By default REST would run them and Bulk would not.

    Raises:
        UsageError: The API version does not support an option.
    """
    rule = options.assignment_rule
    headers = {"Sforce-Auto-Assign": rule if isinstance(rule, str) else str(bool(rule)).upper()}
    if options.duplicate_rule_allow_save is not None:
        require(api_version, Feature.DUPLICATE_RULE_HEADER, "`duplicate_rule_allow_save`")
        allow = str(options.duplicate_rule_allow_save).lower()
        headers["Sforce-Duplicate-Rule-Header"] = f"allowSave={allow}"
    return headers


def _typed(sobject: str) -> dict[str, Any]:
    return {"attributes": {"type": sobject}} if sobject else {}
