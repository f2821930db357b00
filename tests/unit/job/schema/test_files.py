import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.job.origin import Origin
from runner.job.schema.files import _ANNOTATIONS, _RULES, is_valid, schema_of
from runner.job.schema.validate import validate

EXAMPLES = Path(__file__).parents[3] / "examples"
JOBS = sorted([*EXAMPLES.glob("*/*.yaml"), *(EXAMPLES.parents[1] / "configs").glob("*.yaml")])


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.name)
def test_the_quick_answer_agrees_with_the_thorough_one(file):
    try:
        values = json.loads(json.dumps(yaml.safe_load(file.read_text()), default=str))
    except (yaml.YAMLError, UnicodeDecodeError, TypeError):
        pytest.skip("not read as YAML")
    thorough = Draft202012Validator(schema_of("job")).is_valid(values)
    assert is_valid(values, "job") is thorough


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from(["accounts", "Account", "a.csv", "rest", "1%", "2", "local"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "upsert", "key", "from", "fields", "query", "to", "api", "file",
                         "environment", "token", "env", "version", "tasks", "connection", "retry"]),
        inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_VALUES, st.sampled_from(sorted(schema_of("job")["$defs"])))
def test_what_is_quickly_found_valid_has_no_problems(values, definition):
    if is_valid(values, "job", definition=definition):
        assert validate(values, Origin(Path("job.yaml")), "job", definition=definition) == []


@pytest.mark.parametrize("name", ["job", "org", "project"])
def test_every_keyword_of_the_schemas_is_known(name):
    met = set()

    def walk(schema):
        if not isinstance(schema, dict):
            return
        met.update(schema)
        for keyword in ("properties", "patternProperties", "$defs"):
            for part in schema.get(keyword, {}).values():
                walk(part)
        for keyword in ("items", "additionalProperties", "if", "then", "else"):
            walk(schema.get(keyword))
        for part in schema.get("anyOf", []):
            walk(part)

    walk(schema_of(name))
    assert met <= _ANNOTATIONS | _RULES.keys()
