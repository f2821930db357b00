"""Trouble that a run meets, and what must be so after it and, where it stopped, after a resume."""

API = "jobs|composite|query|Soap"
PAGE = {"status": 200, "html": True}
FAULTS = {
    "reset before": {"kind": "reset_before", "path": API, "probability": 0.2, "times": 6},
    "reset after": {"kind": "reset_after", "path": API, "probability": 0.2, "times": 6},
    "answer lost": {"kind": "answer_lost", "path": API, "probability": 0.2, "times": 6},
    "storm of 500": {"kind": "status", "path": API, "status": 500, "times": 3},
    "storm of 503": {"kind": "status", "path": API, "status": 503, "after": 2, "times": 3},
    "storm without end": {"kind": "status", "path": API, "status": 503, "after": 3},
    "a proxy's page": {"kind": "status", "path": API, "status": 502, "html": True, "times": 3},
    "a page that says 200": {"kind": "status", "path": API, "status": 200, "html": True, "nth": 3},
    "a page for an upload": {"kind": "status", "method": "PUT", **PAGE, "times": 2},
    "a page for a state": {
        "kind": "status",
        "method": "GET",
        "path": "jobs/[a-z]+/7",
        **PAGE,
        "nth": 2,
    },
    "a page for results": {"kind": "status", "method": "GET", "path": "esults", **PAGE, "nth": 1},
    "a page for later results": {"kind": "status", "path": "esults", **PAGE, "nth": 3},
    "cut off": {"kind": "truncated", "path": API, "method": "GET", "probability": 0.4, "times": 6},
    "locked rows": {"kind": "lock_rows", "probability": 0.3, "times": 150},
    "too many at once": {"kind": "concurrency_limit", "path": API, "after": 1, "times": 3},
    "no request left": {"kind": "daily_limit", "path": API, "after": 3},
    "no request left to poll": {"kind": "daily_limit", "path": API, "method": "GET", "after": 2},
    "job fails half-way": {"kind": "job_fails", "rows": 40, "times": 2},
    "job aborted half-way": {"kind": "job_aborts", "rows": 40, "times": 2},
}
ENDS = {0, 1, 3, 5}
"""Done; an answer of no API's; rows in doubt or locked to the last; come back later."""


def disturbed(bench, fault):
    """The picture after a run with a fault and, where it did not come to its end, a resume."""
    state = bench.prepare()
    bench.org.fault(**fault)
    ended = bench.killer.run("run", bench.job, "-o", "json", state=state)
    bench.org.request("DELETE", "/__org/faults")
    assert ended.code in ENDS, ended.err + ended.out
    if ended.code == 0:
        return bench.picture(ended.document), ended.code
    again = bench.killer.run("resume", "-o", "json", state=state)
    if again.code == 2:
        assert "nothing to resume" in again.out, again.out
        return bench.picture(ended.document), ended.code
    return bench.picture(again.document), again.code


def unharmed(bench, fault, expected):
    picture, code = disturbed(bench, fault)
    told = f"{bench.scenario.name}, {fault}"
    assert len(set(picture["org"])) == len(picture["org"]), f"twice: {told}"
    if code == 0:
        assert picture == expected, told
        return
    assert bench.scenario.may_doubt, f"exit {code}: {told}"
    counts = picture["counts"]["load"]
    assert code == 3, told
    written = counts["created"] + counts["updated"]
    assert written + counts["in_doubt"] == counts["read"], told
    assert counts["created"] <= len(picture["org"]) <= counts["read"], told
