"""Users, queues and currencies that an org file declares.

Knows the sections `users`, `queues` and `currencies`. Knows no records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from runner.local_org.catalog.model import Catalog
from runner.local_org.catalog.section import Problem, Section
from runner.local_org.catalog.standard import further_fields

CURRENCY = "CurrencyIsoCode"
CURRENCY_TYPE = "CurrencyType"
SETUP_KEYS = ("users", "queues", "currencies")
ADMINISTRATOR = "admin@local.example"
"""Username of the user that every org has."""
_CURRENCY_TYPE = {
    "key_prefix": "01L",
    "fields": {
        "IsoCode": {"type": "text", "length": 3, "required": True},
        "ConversionRate": {"type": "number", "precision": 18, "scale": 6, "required": True},
        "DecimalPlaces": {"type": "number", "precision": 1, "scale": 0, "required": True},
        "IsActive": {"type": "checkbox"},
        "IsCorporate": {"type": "checkbox"},
    },
}
_USERNAME = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DEVELOPER_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*")
_CODE = re.compile(r"[A-Z]{3}")
_DEFAULT_PROFILE = "Standard User"
_MOST_LETTERS = 80


class DeclaredUser(Struct, frozen=True):
    """One user."""

    username: str
    name: str
    email: str
    profile: str
    role: str
    time_zone: str
    active: bool


class DeclaredQueue(Struct, frozen=True):
    """One queue."""

    developer_name: str
    label: str
    objects: tuple[str, ...]
    members: tuple[str, ...]
    email: str


class Setup(Struct, frozen=True):
    """What an org file declares of all this."""

    users: tuple[DeclaredUser, ...] = ()
    queues: tuple[DeclaredQueue, ...] = ()
    currencies: Mapping[str, float] = {}
    """Rates by ISO code; the first is the corporate currency."""


def declared_setup(
    declared: Mapping[str, object], catalog: Catalog, problems: list[Problem]
) -> Setup:
    """What an org file declares; mistakes are added to `problems`."""
    top = Section(declared, (), problems)
    users = tuple(_users(top))
    known = {ADMINISTRATOR, *(each.username.lower() for each in users)}
    return Setup(users, tuple(_queues(top, catalog, known)), dict(_currencies(top)))


def _users(top: Section) -> Iterator[DeclaredUser]:
    for username, section in top.sections("users"):
        section.only("name", "email", "profile", "role", "time_zone", "active")
        if _USERNAME.fullmatch(username) is None:
            section.report("a username has the form of an email address")
        if username.lower() == ADMINISTRATOR:
            section.report("every org has this user")
        email = section.text("email", username)
        if "email" in section and _USERNAME.fullmatch(email) is None:
            section.report("must be an email address", "email")
        yield DeclaredUser(
            username,
            section.text("name", username.partition("@")[0]) or username,
            email,
            section.text("profile", _DEFAULT_PROFILE),
            section.text("role"),
            section.text("time_zone", "GMT"),
            section.flag("active", default=True),
        )


def _queues(top: Section, catalog: Catalog, usernames: set[str]) -> Iterator[DeclaredQueue]:
    for name, section in top.sections("queues"):
        section.only("label", "objects", "members", "email")
        if _DEVELOPER_NAME.fullmatch(name) is None or len(name) > _MOST_LETTERS:
            section.report("a queue's name has letters, digits and single underscores")
        objects = section.texts("objects")
        if not objects:
            section.report("a queue needs `objects`: those whose records it can own")
        for place, each in enumerate(objects):
            sobject = catalog.sobject(each)
            owner = sobject.field("OwnerId") if sobject else None
            if sobject is None:
                section.report(f"no sObject {each} in this org", "objects", place)
            elif owner is None or "Group" not in owner.reference_to:
                section.report(f"a queue cannot own {each}", "objects", place)
        members = section.texts("members")
        for place, each in enumerate(members):
            if each.lower() not in usernames:
                section.report(f"no user {each} in this file", "members", place)
        label = section.text("label", name.replace("_", " "))
        yield DeclaredQueue(name, label, tuple(objects), tuple(members), section.text("email"))


def _currencies(top: Section) -> Iterator[tuple[str, float]]:
    section = top.section("currencies")
    for place, code in enumerate(section.keys()):
        rate = section.raw(code)
        if _CODE.fullmatch(code) is None:
            section.report("a currency has an ISO code of three capital letters", code)
        elif isinstance(rate, bool) or not isinstance(rate, int | float) or rate <= 0:
            section.report("must be a number above 0: how much of it one of the first is", code)
        elif place == 0 and rate != 1:
            section.report("must be 1: the first is the corporate currency", code)
        else:
            yield code, float(rate)


def with_currencies(declared: Mapping[str, object], catalog: Catalog) -> Mapping[str, object]:
    """An org file with the object and the fields that its `currencies` bring with them."""
    codes = list(dict(_currencies(Section(declared, (), []))))
    if not codes:
        return declared
    given = declared.get("objects")
    objects = dict(given) if isinstance(given, Mapping) else {}
    field = {"type": "picklist", "values": codes, "restricted": True, "default": codes[0]}
    standard = (name for name, further in further_fields().items() if CURRENCY in further)
    custom = (name for name in objects if str(name).endswith("__c"))
    for name in (*standard, *custom):
        if catalog.sobject(str(name)) is None and name not in objects:
            continue
        section = objects.get(name) or {}
        if isinstance(section, Mapping):
            fields = section.get("fields") or {}
            if isinstance(fields, Mapping):
                objects[name] = {**section, "fields": {CURRENCY: field, **fields}}
    objects.setdefault(CURRENCY_TYPE, _CURRENCY_TYPE)
    return {**declared, "objects": objects}
