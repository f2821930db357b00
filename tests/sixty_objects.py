"""An org file of sixty objects, which has what a pull can tell, in the form that a pull writes it.

Knows the form of org files, and which options each type of field has.
"""

import random

OBJECTS = 60
_TYPES = {
    "text": [{}, {"length": 20}, {"unique": True, "external_id": True}, {"required": True},
        {"unique": True, "case_sensitive": True, "length": 36, "external_id": True},
        {"default": 'say "x" \\ y'}, {"required": True, "default": "x"}],
    "long_text": [{}, {"length": 131072}],
    "rich_text": [{}, {"length": 1000}],
    "email": [{}, {"unique": True, "external_id": True}],
    "phone": [{}],
    "url": [{}, {"required": True}],
    "checkbox": [{}, {"default": True}],
    "number": [{}, {"precision": 9}, {"precision": 16, "scale": 4},
        {"unique": True, "external_id": True}, {"default": 5}, {"scale": 2, "default": -0.25},
        {"required": True, "default": 1}],
    "currency": [{}, {"precision": 16, "scale": 3}],
    "percent": [{}, {"precision": 5, "scale": 2}],
    "date": [{}, {"required": True}],
    "datetime": [{}],
    "time": [{}],
    "picklist": [
        {"values": ["A", "B c"]},
        {"values": ["Grün", "It's", "a;b"], "restricted": True},
        {"values": ["1", "2"], "restricted": True, "default": "2"},
        {"values": ["x"], "required": True},
        {"values": ["x", "y"], "required": True, "default": "y"},
    ],
    "multi_picklist": [{"values": ["A", "B"]}, {"values": ["C", "D"], "restricted": True}],
    "lookup": [{}, {"on_delete": "restrict"}, {"on_delete": "cascade", "required": True}],
    "auto_number": [{}, {"external_id": True}],
    "location": [{}, {"scale": 4}],
    "encrypted_text": [{}, {"length": 50}],
}  # fmt: skip
_STANDARD = ("Account", "Contact", "Lead", "Opportunity", "Case")
_MORE = (
    {"access": "read_only"},
    {"label": "Größe & <Länge>"},
    {"help": 'Wie in "SAP": 5 % \\ mehr'},
    {"label": "Help", "help": "Line one\nline two"},
)


def org_file(seed):
    """The content of the file, as plain values."""
    chance = random.Random(seed)  # noqa: S311 - a test's choices
    names = [f"Thing{number}__c" for number in range(OBJECTS - len(_STANDARD))]
    objects = {}
    for number, name in enumerate((*_STANDARD, *names)):
        objects[name] = _object(chance, number, name, names)
    return {"version": 1, "objects": dict(sorted(objects.items()))}


def _object(chance, number, name, names):
    made = {"fields": {}}
    if name in _STANDARD:
        made["fields"] |= _changes(name)
        made |= {"label": "Kunde", "plural_label": "Kunden"} if name == "Account" else {}
    else:
        made |= _custom(chance, number, made["fields"])
    for place in range(chance.randint(4, 14)):
        kind = chance.choice(sorted(_TYPES))
        made["fields"][f"F{place}_{kind}__c"] = _field(
            chance, kind, f"Of{number}_{place}__r", [name, *names, *_STANDARD]
        )
    if number % 2:
        made["record_types"] = {
            "Big": {"default": True},
            "Old_one": {"label": "Alt & gut"},
            "Wrong": {"active": False},
        }
    return made


def _custom(chance, number, fields):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    made = {"key_prefix": f"a{number // 36}{digits[number % 36]}"}
    if number % 3 == 0:
        made |= {"label": f"Ding {number}", "plural_label": f"Dinge {number}"}
    if number % 4 == 0:
        made["name_field"] = {"type": "auto_number"}
    elif number % 4 == 1:
        made["name_field"] = {"type": "text", "label": "Titel"}
    if number % 5 == 0:
        fields["Master__c"] = {
            "type": "master_detail",
            "to": chance.choice(_STANDARD),
            "child_relationship": f"Things{number}__r",
        } | chance.choice([{}, {"reparentable": True}])
    return made


def _field(chance, kind, children, parents):
    made = {"type": kind} | chance.choice(_TYPES[kind])
    if kind == "lookup":
        made |= {"to": chance.choice(parents), "child_relationship": children}
        made |= chance.choice([{}, {"relationship": f"Up{children}"}])
    more = chance.choice([{}, {}, *_MORE])
    cannot = kind in {"location", "auto_number"} or made.get("on_delete") == "cascade"
    return made if "access" in more and cannot else made | more


def _changes(name):
    shared = {"Description": {"access": "read_only"}}
    return shared | {
        "Account": {
            "Industry": {"values": ["Retail", "Größe"], "restricted": True},
            "Phone": {"required": True},
            "Fax": {"access": "hidden"},
            "Rating": {"values": ["Hot", "Cold"]},
        },
        "Contact": {"Birthdate": {"access": "hidden"}, "Email": {"required": True}},
        "Lead": {
            "Status": {"values": ["New", "Done"], "restricted": True, "default": "Done"},
            "Company": {"label": "Firma", "help": "Or the household"},
        },
        "Case": {
            "Status": {"values": ["Open", "Shut"]},
            "Priority": {"default": None},
            "Origin": {"default": "Web"},
        },
    }.get(name, {})
