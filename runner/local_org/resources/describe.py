"""`/sobjects`, `/sobjects/X` and `/sobjects/X/describe`: the shape of the org.

Knows the members of each answer and their order. Knows no records.
"""

from __future__ import annotations

import zlib
from email.utils import format_datetime

from msgspec.structs import replace

from runner.local_org.catalog.model import ChildRelationship, Field, RecordType, SObject
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.resources.request_parsing import (
    caller,
    check_unmodified_since,
    header_moment,
    named_sobject,
    version_of,
)
from runner.local_org.soql.related_lists import is_related_list
from runner.local_org.soql.schema import Schema

_MASTER_RECORD_TYPE = "012000000000000AAA"
_MOST_RECORDS = 200
_GLOBAL_FLAGS = (
    "activateable",
    "createable",
    "custom",
    "customSetting",
    "deepCloneable",
    "deletable",
    "deprecatedAndHidden",
    "feedEnabled",
    "hasSubtypes",
    "isInterface",
    "isSubtype",
    "layoutable",
    "mergeable",
    "mruEnabled",
    "queryable",
    "replicateable",
    "retrieveable",
    "searchable",
    "triggerable",
    "undeletable",
    "updateable",
)
_FULL_FLAGS = ("compactLayoutable", "searchLayoutable")
_ABSENT = (
    "associateEntityType",
    "associateParentEntity",
    "defaultImplementation",
    "extendedBy",
    "extendsInterfaces",
    "implementedBy",
    "implementsInterfaces",
    "listviewable",
    "lookupLayoutable",
    "networkScopeFieldName",
)
_GLOBAL_ABSENT = _ABSENT[:2]
_WITH_LISTS = frozenset({"Account", "Campaign", "Case", "Contact", "Lead", "Opportunity"})
_WITH_ACTIONS = _WITH_LISTS | {"Event", "OpportunityContactRole", "User"}
_OWN_URLS = {
    "Case": {
        "caseArticleSuggestions": "suggestedArticles",
        "caseRowArticleSuggestions": "{ID}/suggestedArticles",
    },
    "Event": {"eventSeriesUpdates": "{ID}/fromThisEventOnwards"},
    "User": {
        "namedLayouts": "describe/namedLayouts/{LayoutName}",
        "passwordUtilities": "{ID}/password",
    },
}
_OF_TEAMS = frozenset({"Account", "Contact", "Event", "Lead", "Opportunity"})
_OF_QUEUES = frozenset({"Case", "Lead"})
_OF_EVERY_OBJECT = frozenset(
    {"OwnerId", "CreatedById", "LastModifiedById", "MasterRecordId", "RecordTypeId"}
)
_WITHOUT_FORMULA = frozenset({"boolean", "picklist", "multipicklist", "date", "datetime", "time"})
_TEXT_BYTES = 3
"""Bytes per character in describe."""


def _global(org: Org, request: Request) -> Response:
    version = version_of(org, request)
    return _cached(
        org,
        request,
        {
            "encoding": "UTF-8",
            "maxBatchSize": _MOST_RECORDS,
            "sobjects": [
                _summary(sobject, version)
                for sobject in sorted(org.catalog.sobjects, key=lambda each: each.name)
            ],
        },
    )


def _basic(org: Org, request: Request) -> Response:
    sobject = named_sobject(org, request)
    summary = _summary(sobject, version_of(org, request))
    return Response.of_json({"objectDescribe": summary, "recentItems": []})


def _full(org: Org, request: Request) -> Response:
    sobject = _without_table(org, request) or named_sobject(org, request)
    version = version_of(org, request)
    return _cached(org, request, describe(sobject, version, request.base_url))


def _without_table(org: Org, request: Request) -> SObject | None:
    """An sObject about the org, or a related list, which only a subquery can read."""
    name = request.params["sobject"]
    if org.catalog.sobject(name) is not None:
        return None
    found = Schema.of(org, caller(org, request)).sobject(name)
    if found is None:
        return None
    return replace(found, flags={"queryable": not is_related_list(found.name)})


def _cached(org: Org, request: Request, answer: dict[str, object]) -> Response:
    """Answer 304 if the client has the current version."""
    changed = org.store.catalog_changed
    tag = f"{zlib.crc32(changed.isoformat().encode()):08x}"
    stamp = {"ETag": f'"{tag}"', "Last-Modified": format_datetime(changed, usegmt=True)}
    check_unmodified_since(request, changed)
    since = header_moment(request, "if-modified-since")
    if since is not None and changed <= since:
        return Response(304, b"", stamp)
    return Response.of_json(answer, headers=stamp)


def _summary(sobject: SObject, version: float) -> dict[str, object]:
    """One sObject in the global describe; members in alphabetical order, as recorded."""
    root = f"/services/data/v{version:.1f}/sobjects/{sobject.name}"
    members: dict[str, object] = {
        name: sobject.flags.get(name, False) for name in _GLOBAL_FLAGS
    } | dict.fromkeys(_GLOBAL_ABSENT)
    members |= {
        "custom": sobject.custom,
        "keyPrefix": sobject.key_prefix,
        "label": sobject.label,
        "labelPlural": sobject.label_plural,
        "name": sobject.name,
        "urls": _urls(sobject, root),
    }
    return dict(sorted(members.items()))


def _urls(sobject: SObject, root: str) -> dict[str, str]:
    """Of standard objects without a recording only what follows from their layouts."""
    urls = {"rowTemplate": f"{root}/{{ID}}", "describe": f"{root}/describe", "sobject": root}
    if sobject.flags.get("layoutable"):
        urls |= {
            "layouts": f"{root}/describe/layouts",
            "compactLayouts": f"{root}/describe/compactLayouts",
        }
    if sobject.custom or sobject.name in _WITH_LISTS:
        urls["approvalLayouts"] = f"{root}/describe/approvalLayouts"
    if sobject.custom or sobject.name in _WITH_ACTIONS:
        urls["quickActions"] = f"{root}/quickActions"
    if sobject.name in _WITH_LISTS:
        urls["listviews"] = f"{root}/listviews"
    own = {name: f"{root}/{tail}" for name, tail in _OWN_URLS.get(sobject.name, {}).items()}
    return urls | own


def _pages(sobject: SObject, base_url: str) -> dict[str, str]:
    """The pages of an object, which only its full describe has."""
    if not sobject.flags.get("layoutable"):
        return {}
    return {
        "uiDetailTemplate": f"{base_url}/{{ID}}",
        "uiEditTemplate": f"{base_url}/{{ID}}/e",
        "uiNewRecord": f"{base_url}/{sobject.key_prefix}/e",
    }


def describe(sobject: SObject, version: float, base_url: str = "") -> dict[str, object]:
    """The full describe of one sObject; `base_url` is the address of its pages."""
    members = _summary(sobject, version) | dict.fromkeys(_ABSENT)
    members |= {name: sobject.flags.get(name, False) for name in _FULL_FLAGS}
    root = f"/services/data/v{version:.1f}/sobjects/{sobject.name}"
    members |= {
        "actionOverrides": [],
        "childRelationships": [_child(each) for each in sobject.children],
        "fields": [_field(each) for each in sobject.fields],
        "namedLayoutInfos": [],
        "recordTypeInfos": _record_types(sobject, root),
        "sobjectDescribeOption": "FULL",
        "supportedScopes": _scopes(sobject),
    }
    members["urls"] = _urls(sobject, root) | _pages(sobject, base_url)
    return dict(sorted(members.items()))


def _scopes(sobject: SObject) -> list[dict[str, str]]:
    several = sobject.label_plural.lower()
    labels = {"everything": f"All {several}"}
    if sobject.field("OwnerId") is not None:
        labels["mine"] = f"My {several}"
    if sobject.name in _OF_TEAMS:
        labels["team"] = f"My team's {several}"
    if sobject.name in _OF_QUEUES:
        labels |= {
            "queue_owned": f"Queue owned {several}",
            "user_owned": f"User owned {several}",
        }
    return [{"label": label, "name": name} for name, label in sorted(labels.items())]


def _child(child: ChildRelationship) -> dict[str, object]:
    return {
        "cascadeDelete": child.cascade_delete,
        "childSObject": child.child_sobject,
        "deprecatedAndHidden": False,
        "field": child.field,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": child.relationship_name,
        "restrictedDelete": child.restricted_delete,
    }


def _record_types(sobject: SObject, root: str) -> list[dict[str, object]]:
    master = RecordType(
        _MASTER_RECORD_TYPE,
        "Master",
        "Master",
        default=not any(each.default for each in sobject.record_types),
    )
    return [
        {
            "active": each.active,
            "available": each.active,
            "defaultRecordTypeMapping": each.default,
            "developerName": each.developer_name,
            "master": each is master,
            "name": each.label,
            "recordTypeId": each.id,
            "urls": {"layout": f"{root}/describe/layouts/{each.id}"},
        }
        for each in (*sobject.record_types, master)
    ]


def _field(field: Field) -> dict[str, object]:
    """All members of a field; none is omitted."""
    return _by_rule(field) | dict(field.recorded)


def _by_rule(field: Field) -> dict[str, object]:
    return {
        "aggregatable": field.aggregatable,
        "aiPredictionField": False,
        "autoNumber": field.auto_number,
        "byteLength": _byte_length(field),
        "calculated": field.calculated,
        "calculatedFormula": None,
        "cascadeDelete": field.cascade_delete,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound_field_name,
        "controllerName": None,
        "createable": field.createable,
        "custom": field.custom,
        "defaultValue": _default(field),
        "defaultValueFormula": _default_formula(field),
        "defaultedOnCreate": field.defaulted_on_create,
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": field.digits,
        "displayLocationInDecimal": field.type == "location",
        "encrypted": field.encrypted,
        "externalId": field.external_id,
        "extraTypeInfo": _extra_type(field),
        "filterable": field.filterable,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": field.groupable,
        "highScaleNumber": False,
        "htmlFormatted": field.html_formatted,
        "idLookup": field.id_lookup,
        "inlineHelpText": field.help,
        "label": field.label,
        "length": field.length,
        "mask": None,
        "maskType": None,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": field.polymorphic,
        "nillable": field.nillable,
        "permissionable": _permissionable(field),
        "picklistValues": [
            {
                "active": entry.active,
                "defaultValue": entry.default,
                "label": entry.label,
                "validFor": None,
                "value": entry.value,
            }
            for entry in field.picklist
        ],
        "polymorphicForeignKey": field.polymorphic,
        "precision": field.precision,
        "queryByDistance": field.type in {"address", "location"},
        "referenceTargetField": None,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship_name,
        "relationshipOrder": field.master_detail_order,
        "restrictedDelete": field.restricted_delete,
        "restrictedPicklist": field.restricted_picklist,
        "scale": field.scale,
        "searchPrefilterable": field.type == "reference" and field.name not in _OF_EVERY_OBJECT,
        "soapType": field.soap_type,
        "sortable": field.sortable,
        "type": field.type,
        "unique": field.unique,
        "updateable": field.updateable,
        "writeRequiresMasterRead": False,
    }


def _byte_length(field: Field) -> int:
    return field.length if field.type in {"id", "reference"} else field.length * _TEXT_BYTES


def _default(field: Field) -> object:
    if field.type == "picklist":
        return next((entry.value for entry in field.picklist if entry.default), None)
    return field.default if field.type == "boolean" else None


def _default_formula(field: Field) -> str | None:
    """A constant default as a formula, which a checkbox and a picklist do not have."""
    if field.type in _WITHOUT_FORMULA or isinstance(field.default, bool):
        return None
    if isinstance(field.default, str):
        escaped = field.default.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return None if field.default is None else str(field.default)


def _permissionable(field: Field) -> bool:
    """Whether field-level security applies: not to what is required, or kept by the org."""
    if field.custom:
        return field.nillable or field.type == "boolean"
    written = field.createable or field.updateable or field.type == "address"
    return written and field.nillable and not field.name_field


def _extra_type(field: Field) -> str | None:
    if field.html_formatted:
        return "richtextarea"
    return "plaintextarea" if field.type == "textarea" else None


ROUTES = (
    Route("GET", "/sobjects", _global),
    Route("GET", r"/sobjects/(?P<sobject>\w+)", _basic),
    Route("GET", r"/sobjects/(?P<sobject>\w+)/describe", _full),
)
