"""What is measured and who does it: a command line for every pair of work and contender.

Knows how each client is pointed at loopback and how each does a work in its own fastest way.
Knows nothing of clocks.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks import rows

ROOT = Path(__file__).parents[2]
CLIENTS = Path(__file__).parent / "clients"
PRODUCT = "sfrunner"
LIMIT = "curl"
_TOKEN = "00D5g00000BENCH!bench"


@dataclass(frozen=True, slots=True)
class Bench:
    """Where one run of one contender happens."""

    port: int
    folder: Path
    """Prepared files: `source.csv`, `mapped.csv` and their short forms."""
    out: Path
    """Empty before the run."""
    rows: int
    rest_rows: int
    upsert_rows: int
    python: str
    modules: Path

    @property
    def url(self) -> str:
        """The server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """Where its API begins."""
        return f"{self.url}/services/data/v60.0"


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who does a work."""

    name: str
    how: str
    """Which class of work it is: bytes copied or records parsed, with what besides."""
    command: Callable[[Bench], list[str]]
    there: Callable[[Bench], bool] = lambda _bench: True
    prepare: Callable[[Bench], None] = lambda _bench: None
    """Before the clock runs: sign-in, a job file."""
    fine: tuple[int, ...] = (0, 3)
    """Exit codes of work done; some rows fail, and some clients say so by their exit code."""


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to be done."""

    name: str
    title: str
    contenders: tuple[Contender, ...]
    count: Callable[[Bench], int] = lambda bench: bench.rows
    """How many rows it is about."""


def environment(bench: Bench) -> dict[str, str]:
    """What every contender finds in its environment."""
    home = bench.folder / "home"
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCH_TOKEN": _TOKEN,
        "SFRUNNER_STATE_DIR": str(bench.out / "state"),
        "HOME": str(home),
        "SF_ACCESS_TOKEN": _TOKEN,
        "SF_DISABLE_TELEMETRY": "true",
        "SF_DISABLE_AUTOUPDATE": "true",
        "SF_SKIP_NEW_VERSION_CHECK": "true",
        "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
        "SF_ORG_MAX_QUERY_LIMIT": "100000000",
        "SF_ORG_API_VERSION": "60.0",
    }


def _job(task: Callable[[Bench], dict[str, object]]) -> Callable[[Bench], None]:
    """Write the job file of the product; JSON is YAML too."""

    def write(bench: Bench) -> None:
        connection = {
            "environment": "local",
            "url": bench.url,
            "api_version": "66.0",
            "token": {"env": "BENCH_TOKEN"},
        }
        tasks = [{"name": "work", **task(bench)}]
        job = {"version": 1, "name": "bench", "connection": connection, "tasks": tasks}
        (bench.folder / "job.yaml").write_text(json.dumps(job, indent=2))

    return write


def _query(api: str, name: str = "rows.csv") -> Callable[[Bench], None]:
    return _job(lambda bench: {"query": rows.SOQL, "api": api, "to": str(bench.out / name)})


FIELDS = {
    "ERP_Id__c": "customer_no",
    "Name": "trim(company)",
    "BillingCity": "city",
    "Industry": "lower(branch)",
    "Phone": "phone",
    "AnnualRevenue": "revenue",
    "NumberOfEmployees": "staff",
    "Active__c": "active",
    "Founded__c": "founded",
    "Description": "note || '!'",
}


def _upsert(api: str, source: str) -> Callable[[Bench], None]:
    return _job(
        lambda bench: {
            "upsert": "Account",
            "key": "ERP_Id__c",
            "api": api,
            "from": str(bench.folder / source),
            "fields": FIELDS,
            "results": str(bench.out),
            "max_failures": "50%",
        }
    )


def _product(how: str, prepare: Callable[[Bench], None], *words: str) -> Contender:
    def command(bench: Bench) -> list[str]:
        job = str(bench.folder / "job.yaml")
        return [bench.python, "-m", "runner", *(words or ("run", "-q")), job]

    return Contender(PRODUCT, how, command, prepare=prepare)


def _curl(how: str, *words: Callable[[Bench], str]) -> Contender:
    def command(bench: Bench) -> list[str]:
        return ["curl", "-sSf", *(word(bench) for word in words)]

    return Contender(LIMIT, how, command, there=lambda _bench: shutil.which("curl") is not None)


def _script(name: str, module: str, work: str, how: str, source: str = "-") -> Contender:
    script = CLIENTS / f"with_{module}.py"

    def command(bench: Bench) -> list[str]:
        given = str(bench.folder / source)
        return [
            sys.executable,
            str(script),
            work,
            str(bench.port),
            rows.SOQL,
            given,
            str(bench.out),
        ]

    return Contender(name, how, command, there=lambda _bench: find_spec(module) is not None)


def _simple(work: str, how: str, source: str = "-") -> Contender:
    return _script("simple-salesforce", "simple_salesforce", work, how, source)


def _node(bench: Bench) -> str:
    return str(bench.modules / "node_modules/node/bin/node")


def _jsforce(work: str, how: str, source: str = "-") -> Contender:
    def command(bench: Bench) -> list[str]:
        script, given = str(CLIENTS / "with_jsforce.mjs"), str(bench.folder / source)
        words = [work, str(bench.port), rows.SOQL, given, str(bench.out), str(bench.modules)]
        return [_node(bench), script, *words]

    package = "node_modules/@jsforce/jsforce-node"
    return Contender("jsforce", how, command, there=lambda b: (b.modules / package).exists())


def _sf(how: str, *words: Callable[[Bench], str]) -> Contender:
    def command(bench: Bench) -> list[str]:
        return [*_sf_program(bench), *(word(bench) for word in words), "--target-org", "bench"]

    return Contender(
        "Salesforce CLI",
        how,
        command,
        there=lambda b: (b.modules / "node_modules/@salesforce/cli").exists(),
        prepare=_sign_in_sf,
        fine=(0, 1),
    )


def _sf_program(bench: Bench) -> list[str]:
    return [_node(bench), str(bench.modules / "node_modules/@salesforce/cli/bin/run.js")]


def _sign_in_sf(bench: Bench) -> None:
    import subprocess  # noqa: PLC0415 - nobody else here starts anything

    words = ["org", "login", "access-token", "--no-prompt", "--alias", "bench"]
    (bench.folder / "home").mkdir(exist_ok=True)
    subprocess.run(
        [*_sf_program(bench), *words, "--instance-url", bench.url],
        env=environment(bench),
        check=True,
        capture_output=True,
    )


def _word(text: str) -> Callable[[Bench], str]:
    return lambda _bench: text


def _words(line: str) -> list[Callable[[Bench], str]]:
    return [_word(each) for each in line.split()]


def _out(name: str) -> Callable[[Bench], str]:
    return lambda bench: str(bench.out / name)


_BULK_QUERY = Work(
    "bulk_query",
    "Bulk query → CSV file",
    (
        _curl(
            "bytes copied, no job",
            _word("-o"),
            _out("rows.csv"),
            lambda b: f"{b.api}/jobs/query/7505g/results?maxRecords={b.rows}",
        ),
        _product("bytes copied, pages in parallel", _query("bulk")),
        _simple("bulk_query", "bytes copied, one file per page, wait=0"),
        _sf(
            "records parsed",
            *_words("data export bulk --result-format csv --wait 10 --query"),
            _word(rows.SOQL),
            _word("--output-file"),
            _out("rows.csv"),
        ),
        _jsforce("bulk_query", "records parsed"),
    ),
)
_BULK_PARQUET = Work(
    "bulk_parquet",
    "Bulk query → Parquet file",
    (_product("columns have the types of the org", _query("bulk", "rows.parquet")),),
)
_BULK_UPSERT = Work(
    "bulk_upsert",
    "Bulk ingest from CSV",
    (
        _curl(
            "bytes uploaded, no job, no results",
            _word("-T"),
            lambda b: str(b.folder / "mapped.csv"),
            lambda b: f"{b.api}/jobs/ingest/7505g/batches",
        ),
        _product(
            "rows mapped and checked, results joined to source rows", _upsert("bulk", "source.csv")
        ),
        _simple("bulk_upsert", "rows split, results saved, wait=0", "mapped.csv"),
        _sf(
            "rows passed on, no row results",
            *_words("data upsert bulk --sobject Account --external-id ERP_Id__c --wait 10"),
            _word("--file"),
            lambda b: str(b.folder / "mapped.csv"),
        ),
        _jsforce("bulk_upsert", "rows passed on, results parsed", "mapped.csv"),
    ),
)
_REST_QUERY = Work(
    "rest_query",
    "REST query → CSV file",
    (
        _curl(
            "bytes copied, not parsed",
            _word("-o"),
            _out("rows.json"),
            lambda b: f"{b.api}/query/01g-[0-{max(b.rest_rows - 1, 0)}:{rows.PAGE_ROWS}]",
        ),
        _product("records parsed", _query("rest")),
        _simple("rest_query", "records parsed"),
        _script("aiosalesforce", "aiosalesforce", "rest_query", "records parsed"),
        _jsforce("rest_query", "records parsed"),
        _sf(
            "records parsed",
            *_words("data query --result-format csv --query"),
            _word(rows.SOQL),
            _word("--output-file"),
            _out("rows.csv"),
        ),
    ),
    count=lambda bench: bench.rest_rows,
)
_REST_UPSERT = Work(
    "rest_upsert",
    "REST upsert, 200 rows and a delay per request",
    (
        _product(
            "rows mapped and checked, requests in parallel", _upsert("rest", "source-rest.csv")
        ),
        _simple("rest_upsert", "one request at a time", "mapped-rest.csv"),
    ),
    count=lambda bench: bench.upsert_rows,
)
_VALIDATE = Work(
    "validate",
    "runner validate of a job with ten expressions",
    (_product("no row", _upsert("bulk", "source.csv"), "validate"),),
    count=lambda _bench: 0,
)
WORKS = (_BULK_QUERY, _BULK_PARQUET, _BULK_UPSERT, _REST_QUERY, _REST_UPSERT, _VALIDATE)
