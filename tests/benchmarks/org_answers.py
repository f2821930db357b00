"""What the benchmarks' org says of itself: versions, user, object, and of single records.

Pure. Knows the shapes that the product and its peers ask for first.
"""

from __future__ import annotations

import re
from typing import Any

from tests.benchmarks import rows
from tests.benchmarks.shapes import WIDE_NAMES

ORG_ID = "00D5g00000BENCHEAU"
USER_ID = "0055g00000BENCHAAE"
VERSIONS = ("59.0", "60.0", "66.0")
_TYPES = {
    "Id": "id",
    "AnnualRevenue": "currency",
    "NumberOfEmployees": "int",
    "Active__c": "boolean",
    "LastModifiedDate": "datetime",
    "SystemModstamp": "datetime",
    "Founded__c": "date",
}
_USER = {
    "Id": USER_ID,
    "Username": "bench@example.com",
    "Name": "Bench",
    "Email": "bench@example.com",
}


def answer(path: str) -> Any:  # noqa: PLR0911 - one line a resource
    """The answer to a GET that is about no rows; None where there is nothing."""
    match [each for each in path.split("/") if each]:
        case ["services", "data"]:
            return [{"label": v, "version": v, "url": f"/services/data/v{v}"} for v in VERSIONS]
        case ["services", "oauth2", "token"]:
            return {"access_token": f"{ORG_ID}!bench", "token_type": "Bearer"}
        case ["services", "oauth2", "userinfo"]:
            return _userinfo()
        case []:
            return {"identity": f"https://login.salesforce.com/id/{ORG_ID}/{USER_ID}"}
        case ["limits"]:
            return {"DailyApiRequests": {"Max": 1_000_000, "Remaining": 999_999}}
        case ["sobjects", "User", _]:
            return _USER
        case ["sobjects", "Account", "describe"]:
            return _describe()
    return None


def _userinfo() -> dict[str, Any]:
    return {
        "user_id": USER_ID,
        "organization_id": ORG_ID,
        "preferred_username": _USER["Username"],
        "name": _USER["Name"],
        "email": _USER["Email"],
    }


def _describe() -> dict[str, Any]:
    names = dict.fromkeys((*rows.QUERIED, *rows.HELD, *WIDE_NAMES))
    return {
        "name": "Account",
        "createable": True,
        "updateable": True,
        "deletable": True,
        "queryable": True,
        "fields": [_field(name) for name in names],
    }


def _field(name: str) -> dict[str, Any]:
    own = name not in {"Id", "LastModifiedDate", "SystemModstamp"}
    return {
        "name": name,
        "type": _type(name),
        "createable": own,
        "updateable": own,
        "nillable": True,
        "externalId": name == "ERP_Id__c",
        "idLookup": name in {"Id", "ERP_Id__c"},
        "length": 255,
        "precision": 18,
        "scale": 2,
    }


def _type(name: str) -> str:
    """As its field is described; the wide rows repeat fields under longer names."""
    base = re.sub(r"_\d{3}__c$", "", name)
    return _TYPES.get(name) or _TYPES.get(base) or _TYPES.get(f"{base}__c") or "string"


def column_metadata() -> list[dict[str, Any]]:
    """What `columns=true` asks for."""
    return [
        {
            "aggregate": False,
            "apexType": "String",
            "booleanType": _TYPES.get(name) == "boolean",
            "columnName": name,
            "custom": name.endswith("__c"),
            "displayName": name,
            "foreignKeyName": None,
            "insertable": True,
            "joinColumns": [],
            "numberType": _TYPES.get(name) in {"int", "currency"},
            "textType": _TYPES.get(name, "string") == "string",
            "updatable": True,
        }
        for name in rows.QUERIED
    ]


def outcome(number: int) -> dict[str, Any]:
    """What became of one record of a Collections request."""
    if not rows.fails(number):
        return {"id": rows.id_of(number), "success": True, "created": True, "errors": []}
    code, message, fields = rows.ERROR.removesuffix(" --").split(":")
    error = {"statusCode": code, "message": message, "fields": [fields]}
    return {"success": False, "errors": [error]}
