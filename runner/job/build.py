"""Builds the typed job from plain values that are valid by the schema.

Pure but for the folder that paths are relative to. Knows the model and its notation. Knows nothing
of problems: what cannot be built gets its default, and the checks report it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict, replace

from runner.credentials import ClientCredentials, Grant, JwtBearer, SecretReference
from runner.job import build_endpoints as endpoints
from runner.job import lookups, notation, params
from runner.job.build_endpoints import Values
from runner.job.choices import (
    Blank,
    Concurrency,
    Duplicates,
    Headers,
    Match,
    OnError,
    UnknownColumns,
    WriteOptions,
)
from runner.job.endpoints import EXPLICIT_NULL, ListColumn
from runner.job.masks import Mask, MaskKind, Masks
from runner.job.merges import Merge
from runner.job.model import (
    COMPARED_VERBS,
    DECLARED_VERBS,
    PARENT_COLUMN,
    QUERY_BULK_THRESHOLD_ROWS,
    WRITE_BULK_THRESHOLD_ROWS,
    AnyTask,
    Api,
    ChildTable,
    Connection,
    Environment,
    FieldMapping,
    Mirror,
    Param,
    QueryTask,
    RetryPolicy,
    Since,
    Verb,
    WriteTask,
)
from runner.job.soql import selection
from runner.job.source_query import SourceQuery, names_query, query_name
from runner.wording import plain

if TYPE_CHECKING:
    from runner.job.metrics import Metrics
    from runner.job.notices import Notice

_NESTED = ("retry", "options")
"""Defaults that are merged with a task's own key by key."""
_FOR_ALL = {"on_error", "retry", "timeout", "api", "bulk_threshold"}
"""Defaults that apply to queries too."""


def connection(values: Values, folder: Path, source: Path | None) -> Connection:
    """Build the connection; paths are relative to `folder`."""
    org_file = values.get("org_file")
    return Connection(
        environment=Environment(values["environment"]),
        domain=values.get("domain") or None,
        url=values.get("url") or None,
        api_version=values.get("api_version"),
        client_id=values.get("client_id") or None,
        token=_secret(values.get("token"), folder),
        auth=_grant(values.get("auth"), folder),
        org_id=values.get("org_id") or None,
        org_file=notation.path_from(org_file, folder) if org_file else None,
        source=source,
        name=values.get("name"),
        protect=values.get("protect", False),
        notify=_notices(values["notify"]) if "notify" in values else (),
        metrics=metrics(values["metrics"], folder) if "metrics" in values else None,
    )


def metrics(value: Values, folder: Path) -> Metrics:
    """Build where metrics go; paths are relative to `folder`."""
    from runner.job import metrics as notation_of_metrics  # noqa: PLC0415 - few jobs have them

    return notation_of_metrics.metrics(value, folder)


def _notices(value: Any) -> tuple[Notice, ...]:  # noqa: ANN401 - as YAML has it
    from runner.job.build_notices import notices  # noqa: PLC0415 - few connections have them

    return notices(value)


def _secret(value: Any, folder: Path) -> SecretReference | None:  # noqa: ANN401 - as YAML has it
    if value is None:
        return None
    if isinstance(value, str):
        return SecretReference(path=notation.path_from(value, folder))
    if "file" in value:
        path = notation.path_from(value["file"], folder)
        return SecretReference(path=path, key=endpoints.reference(value["key"]))
    if "state" in value:
        return SecretReference(state=value["state"], key=endpoints.reference(value["key"]))
    if "keyring" in value:
        return SecretReference(keyring=value["keyring"])
    return endpoints.reference(value)


def _grant(value: Values | None, folder: Path) -> Grant | None:
    """How runs sign in without a person."""
    if value is None:
        return None
    if "client_credentials" in value:
        return ClientCredentials(endpoints.reference(value["client_credentials"]["secret"]))
    key = value["jwt"]["key"]
    if isinstance(key, str):
        place = SecretReference(path=notation.path_from(key, folder))
    else:
        place = endpoints.reference(key)
    passphrase = value["jwt"].get("passphrase")
    return JwtBearer(
        value["jwt"]["username"],
        place,
        endpoints.reference(passphrase) if passphrase else None,
    )


def param(name: str, values: Values) -> Param:
    """Build one param, without a default that does not fit its type."""
    kind = values["type"]
    try:
        default = params.declared_default(values.get("default"), kind, name)
    except ValueError:
        default = None
    return Param(name, kind, default, "default" not in values, values.get("description", ""))


def verb_of(values: Values) -> Verb | None:
    """The verb of a task; the first of several."""
    return next((verb for verb in DECLARED_VERBS if verb in values), None)


def tasks(
    values: Values, index: int, folder: Path, defaults: Values, source: Connection | None
) -> tuple[AnyTask, ...]:
    """Build one task; `defaults` apply to what the task does not set.

    Returns:
        The task. Before it the query of its rows, if they come from the org of `source`.
    """
    query = values.get("from")
    if not names_query(query):
        return (_task(values, index, folder, defaults),)
    name, needs = query_name(values["name"]), values.get("needs")
    shared = {key: values[key] for key in _OF_THE_QUERY if key in values}
    asked = {**shared, **query, "name": name}
    merged = _with_defaults(asked, defaults, Verb.QUERY)
    own = asdict(_query(merged, index, folder))
    write = {**values, "from": {"task": name}}
    if needs is not None:
        write["needs"] = [*needs, name]
    found = SourceQuery(**own, write=values["name"], connection=source, masks=_masks(query))
    return found, _task(write, index, folder, defaults)


def _masks(values: Values) -> Masks:
    """What takes the place of values of a source; null is a word of YAML's own."""
    masks = values.get("mask", {}).items()
    key = endpoints.reference(values["mask_key"]) if "mask_key" in values else None
    return Masks(tuple(Mask(column, MaskKind(kind or "null")) for column, kind in masks), key)


_OF_THE_QUERY = ("needs", "enabled", "on_error", "retry", "timeout")
"""Options of a write that also hold for the query of its rows."""


def _task(values: Values, index: int, folder: Path, defaults: Values) -> AnyTask:
    verb = verb_of(values) or Verb.QUERY
    merged = _with_defaults(values, defaults, verb)
    if verb is Verb.QUERY:
        return _query(merged, index, folder)
    if verb is Verb.MERGE:
        return _merge(_write(merged, verb, index, folder), merged)
    if verb is Verb.MIRROR:
        upsert = _write({**merged, "upsert": values[verb]}, Verb.UPSERT, index, folder)
        sets = _values_to_set(values.get("missing"))
        mirror = Mirror(sets, values.get("managed", False), values.get("owner_field"))
        return replace(upsert, mirror=mirror, only_changes=True)
    return _write(merged, verb, index, folder)


def _merge(write: WriteTask, values: Values) -> WriteTask:
    """A merge; defaults that the SOAP call has no place for do not apply to it."""
    losers = _one_or_more(values["losers"])
    return replace(
        write,
        merge=Merge(values["master"], losers, tuple(values.get("fill", ()))),
        fields=write.fields or (),
        all_or_none=False,
        undo=False,
        options=WriteOptions(),
    )


def _with_defaults(values: Values, defaults: Values, verb: Verb) -> dict[str, Any]:
    shared = {key: defaults[key] for key in defaults if verb is not Verb.QUERY or key in _FOR_ALL}
    nested = {
        key: {**shared[key], **values[key]} for key in _NESTED if key in shared and key in values
    }
    return {**shared, **values, **nested}


def _common(values: Values, index: int, threshold: int) -> dict[str, Any]:
    needs = values.get("needs")
    timeout = values.get("timeout")
    return {
        "name": values["name"],
        "index": index,
        "needs": None if needs is None else tuple(needs),
        "enabled": values.get("enabled", True),
        "on_error": OnError(values.get("on_error", OnError.STOP)),
        "on_failure": values.get("on_failure"),
        "retry": _retry(values.get("retry", {})),
        "timeout_seconds": notation.duration_seconds(timeout) if timeout else None,
        "api": Api(values.get("api", Api.AUTO)),
        "bulk_threshold": values.get("bulk_threshold", threshold),
    }


def _retry(values: Values) -> RetryPolicy:
    usual = RetryPolicy()
    wait, total = values.get("longest_wait"), values.get("total_time")
    return RetryPolicy(
        values.get("attempts", usual.attempts),
        notation.duration_seconds(wait) if wait else usual.longest_wait_seconds,
        notation.duration_seconds(total) if total else usual.total_seconds,
        tuple(values.get("add", ())),
        tuple(values.get("ignore", ())),
    )


def _query(values: Values, index: int, folder: Path) -> QueryTask:
    target, deleted = values.get("to"), values.get("deleted", False)
    return QueryTask(
        **_common(values, index, QUERY_BULK_THRESHOLD_ROWS),
        verb=Verb.QUERY,
        sobject=selection(values["query"]).sobject,
        soql=values["query"],
        target=endpoints.target(target, folder, deleted=deleted) if target else None,
        children=tuple(
            ChildTable(
                name, endpoints.target(each["to"], folder), each.get("parent", PARENT_COLUMN)
            )
            for name, each in values.get("children", {}).items()
        ),
        lists=tuple(
            ListColumn(
                name,
                endpoints.rows(each["from"], folder),
                each["column"],
                each.get("type", "string"),
            )
            for name, each in values.get("lists", {}).items()
        ),
        deleted=deleted,
        files=notation.path_from(values["files"], folder) if "files" in values else None,
        since=_since(values) if "since" in values else None,
    )


def _since(values: Values) -> Since:
    usual = Since(values["since"])
    overlap, lag, refresh = (values.get(key) for key in ("overlap", "lag", "refresh"))
    return Since(
        usual.field,
        notation.duration_seconds(overlap) if overlap else usual.overlap_seconds,
        notation.duration_seconds(lag) if lag else usual.lag_seconds,
        notation.period_seconds(refresh) if refresh else None,
        values.get("reconcile", False),
    )


def _write(values: Values, verb: Verb, index: int, folder: Path) -> WriteTask:
    fields, limit = values.get("fields"), values.get("max_failures")
    results = values.get("results")
    return WriteTask(
        **_common(values, index, WRITE_BULK_THRESHOLD_ROWS),
        verb=verb,
        sobject=values[verb],
        source=endpoints.source(values["from"], folder),
        key=values.get("key"),
        on_create=tuple(values.get("on_create", ())),
        match=Match(values["match"]) if verb is Verb.UPSERT and "match" in values else None,
        only_changes=verb in COMPARED_VERBS and values.get("only_changes", False),
        scope=values.get("scope"),
        fields=_mappings(fields, values[verb], folder) if fields else None,
        headers=Headers(values.get("headers", Headers.NAMES)),
        unknown_columns=UnknownColumns(values.get("unknown_columns", UnknownColumns.ERROR)),
        duplicates=Duplicates(values.get("duplicates", Duplicates.FAIL)),
        blank=Blank(values.get("blank", Blank.KEEP)),
        truncate=values.get("truncate", False),
        max_failures=None if limit is None else notation.max_failures(limit),
        all_or_none=values.get("all_or_none", False),
        concurrency=Concurrency(values.get("concurrency", Concurrency.PARALLEL)),
        batch_size=values.get("batch_size"),
        results=notation.path_from(results, folder) if results else None,
        hard=values.get("hard", False),
        undo=values.get("undo", False),
        options=WriteOptions(**values.get("options", {})),
        timezone=values.get("timezone", "UTC"),
        limits=notation.limits(values.get("limits", {})),
    )


def _values_to_set(missing: str | Values | None) -> tuple[FieldMapping, ...] | None:
    """What the records get that a mirror's source does not have; None: they are deleted."""
    if missing is None or isinstance(missing, str):
        return None
    return tuple(FieldMapping(field, _constant(value)) for field, value in missing["set"].items())


def _constant(value: object) -> str:
    """SQL of a value as a source would have it."""
    text = EXPLICIT_NULL if value is None else plain(value)
    return "'" + text.replace("'", "''") + "'"


def _mappings(fields: Values, sobject: str, folder: Path) -> tuple[FieldMapping, ...]:
    return tuple(_mapping(field, value, sobject, folder) for field, value in fields.items())


def _mapping(field: str, value: str | Values, sobject: str, folder: Path) -> FieldMapping:
    if isinstance(value, str):
        return FieldMapping(field, value)
    if "file" in value:
        return FieldMapping(field, value["file"], is_file=True, folder=_files_in(value, folder))
    found = _lookup(value, sobject)
    return FieldMapping(field, found.values[0], lookup=found)


def _lookup(value: Values, sobject: str) -> lookups.Lookup:
    """How the records of a field are found."""
    if "lookup" in value:
        place = lookups.Place(value["lookup"], _one_or_more(value["by"]), value.get("where", ""))
        found = lookups.Lookup((place,), _one_or_more(value["value"]))
    elif "record_type" in value:
        found = lookups.record_type(sobject, value["record_type"])
    else:
        found = lookups.owner(value["owner"])
    return replace(
        found,
        missing=lookups.Missing(value.get("missing", lookups.Missing.ERROR)),
        many=lookups.Many(value.get("many", lookups.Many.ERROR)),
    )


def _one_or_more(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _files_in(value: Values, folder: Path) -> Path | None:
    return notation.path_from(value["folder"], folder) if "folder" in value else None
