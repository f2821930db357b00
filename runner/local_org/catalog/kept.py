"""What people write in an org file and describe does not tell; a new pull keeps it.

Knows plain mappings. Knows no YAML.
"""

from __future__ import annotations

from collections.abc import Mapping

_OF_OBJECT = ("validation_rules", "duplicate_rules")
_OF_FIELD = ("format", "default")
_OF_NAME = ("format",)


def with_kept(pulled: Mapping[str, object], before: Mapping[str, object]) -> dict[str, object]:
    """A pulled org file with what the file had before and a pull cannot know.

    That is seeds, apps and faults, rules of objects, formats of auto-numbers and defaults, and
    objects that were not pulled.
    """
    others = {key: value for key, value in before.items() if key not in pulled}
    objects = dict(_mapping(before, "objects"))
    for name, made in _mapping(pulled, "objects").items():
        objects[name] = _object(_as_mapping(made), _as_mapping(objects.get(name)))
    return {**pulled, "objects": dict(sorted(objects.items())), **others}


def _object(made: Mapping[str, object], before: Mapping[str, object]) -> dict[str, object]:
    kept = {
        key: {**_mapping(before, key), **_mapping(made, key)} for key in _OF_OBJECT if key in before
    }
    result = {**made, **kept}
    known = _mapping(before, "fields")
    if "fields" in made:
        result["fields"] = {
            name: _same_kind(_as_mapping(field), _as_mapping(known.get(name)), _OF_FIELD)
            for name, field in _mapping(made, "fields").items()
        }
    if "name_field" in made:
        named = _mapping(before, "name_field")
        result["name_field"] = _same_kind(_mapping(made, "name_field"), named, _OF_NAME)
    return result


def _same_kind(
    made: Mapping[str, object], before: Mapping[str, object], keys: tuple[str, ...]
) -> dict[str, object]:
    if made.get("type") != before.get("type"):
        return dict(made)
    kept = {key: before[key] for key in keys if key in before and key not in made}
    if "values" in made or "type" not in made:  # whose default describe tells
        kept.pop("default", None)
    return {**made, **kept}


def _mapping(values: Mapping[str, object], key: str) -> Mapping[str, object]:
    return _as_mapping(values.get(key))


def _as_mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
