"""Writes the metadata of small Salesforce DX projects, in both layouts."""

import json
from xml.sax.saxutils import escape

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"


def element(tag, value):
    """An element of a text, a mapping, or a list of either."""
    if isinstance(value, list):
        return "".join(element(tag, each) for each in value)
    if isinstance(value, dict):
        inner = "".join(element(name, each) for name, each in value.items())
        return f"<{tag}>\n{inner}</{tag}>\n"
    return f"<{tag}>{escape(str(value))}</{tag}>\n"


def document(kind, **values):
    inner = "".join(element(name, each) for name, each in values.items())
    return f'{HEAD}<{kind} xmlns="{NAMESPACE}">\n{inner}</{kind}>\n'


class Project:
    """A project in source format; its parts are under force-app/main/default."""

    def __init__(self, folder):
        self.folder = folder
        listed = {"packageDirectories": [{"path": "force-app", "default": True}]}
        self.write("../../../sfdx-project.json", json.dumps({**listed, "sourceApiVersion": "62.0"}))

    def write(self, name, text):
        file = self.folder / "force-app/main/default" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def object(self, name, **values):
        text = document("CustomObject", **values)
        return self.write(f"objects/{name}/{name}.object-meta.xml", text)

    def field(self, sobject, name, kind, **values):
        text = document("CustomField", fullName=name, **values, type=kind)
        return self.write(f"objects/{sobject}/fields/{name}.field-meta.xml", text)

    def record_type(self, sobject, name, **values):
        text = document("RecordType", fullName=name, **values)
        return self.write(f"objects/{sobject}/recordTypes/{name}.recordType-meta.xml", text)

    def rule(self, sobject, name, formula, **values):
        given = {"active": "true", "errorMessage": "No.", **values}
        text = document("ValidationRule", fullName=name, errorConditionFormula=formula, **given)
        return self.write(f"objects/{sobject}/validationRules/{name}.validationRule-meta.xml", text)

    def value_set(self, name, *values, kind="Global"):
        tag = "customValue" if kind == "Global" else "standardValue"
        listed = [{"fullName": each, "default": "false", "label": f"{each}!"} for each in values]
        suffix = f"{kind[0].lower()}{kind[1:]}ValueSet"
        text = document(f"{kind}ValueSet", **{tag: listed}, sorted="false")
        return self.write(f"{suffix}s/{name}.{suffix}-meta.xml", text)
