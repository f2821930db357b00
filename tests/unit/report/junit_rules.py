"""The rules of Jenkins' schema of JUnit XML, `junit-10.xsd`, for what the runner writes."""

import re
from xml.etree import ElementTree as ET

_MAY = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {
        *("name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp"),
        *("hostname", "id", "package", "file", "log", "url", "version"),
    },
    "testcase": {"name", "time", "classname", "group"},
    **{each: {"type", "message"} for each in ("failure", "error", "skipped")},
    "system-out": set(),
}
_MUST = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}
_CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}
_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?")


def checked_junit(text):
    """The root of a document that keeps the rules."""
    root = ET.fromstring(text.encode())  # noqa: S314 - the runner's own
    assert root.tag == "testsuites"
    for element in root.iter():
        names = set(element.attrib)
        assert names <= _MAY[element.tag], names
        assert names >= _MUST.get(element.tag, set())
        assert {each.tag for each in element} <= _CHILDREN.get(element.tag, set())
        assert _TIME.fullmatch(element.get("time", ""))
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        for verdict in ("failure", "error"):
            assert int(suite.get(f"{verdict}s")) == len(suite.findall(f"testcase/{verdict}"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
    return root
