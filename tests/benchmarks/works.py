"""The works: what is to be done, and who does it in which class.

lht is not among the peers: it reads from and writes to Snowflake and Databricks only.
"""

from __future__ import annotations

from tests.benchmarks import rows
from tests.benchmarks.bench import PRODUCT, Work
from tests.benchmarks.contenders import (
    Of,
    curl,
    drt,
    has_postgresql,
    jsforce,
    out,
    product,
    psql,
    query_job,
    result_url,
    script,
    sf,
    simple,
    word,
    words,
    write_job,
)
from tests.benchmarks.shapes import KEYLESS, MAPPED, PLAIN, WIDE, Shape

THREE_EXPRESSIONS = {
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
TEN_EXPRESSIONS = THREE_EXPRESSIONS | {
    "ERP_Id__c": "upper(customer_no)",
    "BillingCity": "coalesce(city, 'unknown')",
    "Phone": "left(phone, 40)",
    "AnnualRevenue": "CASE WHEN revenue <> '' THEN revenue END",
    "NumberOfEmployees": "CAST(staff AS INTEGER)",
    "Active__c": "active = 'yes'",
    "Founded__c": "CAST(founded AS DATE)",
}


def _mapped(shape: Shape, *, over_rest: bool = False) -> Of:
    """The rows for clients that send them as they are."""
    return lambda bench: bench.source_file(shape, mapped=True, over_rest=over_rest)


_SPLIT = "rows split, results saved, wait=0"
_BULK_QUERY = Work(
    "bulk_query",
    "Bulk query → CSV file",
    (
        curl("bytes copied, no job", word("-o"), out("rows.csv"), result_url),
        product("bytes copied, pages in parallel", query_job("bulk")),
        simple("bulk_query", "bytes copied, one file per page, wait=0"),
        script("salesforce-bulk", "salesforce_bulk", "bulk_query", "bytes copied, Bulk API 1.0"),
        sf(
            "records parsed",
            *words("data export bulk --result-format csv --wait 10 --query"),
            word(rows.SOQL),
            word("--output-file"),
            out("rows.csv"),
        ),
        jsforce("bulk_query", "records parsed"),
    ),
)
_BULK_PARQUET = Work(
    "bulk_parquet",
    "Bulk query → Parquet file",
    (
        product("columns have the types of the org", query_job("bulk", "rows.parquet")),
        simple("bulk_parquet", "downloaded, then DuckDB by hand"),
    ),
)
_BULK_JSON_LINES = Work(
    "bulk_jsonl",
    "Bulk query → JSON Lines file",
    (
        product("values have the types of the org", query_job("bulk", "rows.jsonl")),
        simple("bulk_jsonl", "downloaded, then csv and json by hand"),
    ),
)
_BULK_SQLITE = Work(
    "bulk_sqlite",
    "Bulk query → SQLite table",
    (
        product("columns have the types of the org", query_job("bulk", {"env": "BENCH_SQLITE"})),
        simple("bulk_sqlite", "downloaded, then csv and sqlite3 by hand"),
    ),
)
_BULK_POSTGRESQL = Work(
    "bulk_postgresql",
    "Bulk query → PostgreSQL table",
    (
        product(
            "columns have the types of the org",
            query_job("bulk", {"env": "BENCH_POSTGRESQL"}),
            there=has_postgresql,
        ),
        psql("downloaded by curl, then \\copy by hand"),
    ),
)
_BULK_UPSERT = Work(
    "bulk_upsert",
    "Bulk upsert from CSV, by its header",
    (
        curl(
            "bytes uploaded, no job, no results",
            word("-T"),
            _mapped(PLAIN),
            lambda b: f"{b.api}/jobs/ingest/7505g/batches",
        ),
        product("rows checked, results joined to source rows", write_job("upsert", "bulk", PLAIN)),
        simple("bulk_upsert", _SPLIT, _mapped(PLAIN)),
        script(
            "salesforce-bulk",
            "salesforce_bulk",
            "bulk_upsert",
            "rows in batches of 10,000, results parsed, Bulk API 1.0",
            _mapped(PLAIN),
        ),
        drt("rows as Python dicts, one job, failed results only", PLAIN),
        sf(
            "rows passed on, no row results",
            *words("data upsert bulk --sobject Account --external-id ERP_Id__c --wait 10"),
            word("--file"),
            _mapped(PLAIN),
        ),
        jsforce("bulk_upsert", "rows passed on, results parsed", _mapped(PLAIN)),
    ),
    shape=PLAIN,
)


def _expressions(name: str, title: str, fields: dict[str, str]) -> Work:
    how = "rows mapped and checked, results joined to source rows"
    return Work(
        name,
        f"Bulk upsert from CSV, {title}",
        (
            product(how, write_job("upsert", "bulk", MAPPED, fields)),
            simple("bulk_upsert", f"nothing mapped, {_SPLIT}", _mapped(MAPPED)),
        ),
        shape=MAPPED,
    )


_BULK_CREATE = Work(
    "bulk_create",
    "Bulk create from CSV, no column is unique",
    (
        product(
            "rows checked, results joined to source rows", write_job("create", "bulk", KEYLESS)
        ),
        simple("bulk_create", _SPLIT, _mapped(KEYLESS)),
    ),
    shape=KEYLESS,
)
_BULK_WIDE = Work(
    "bulk_wide",
    "Bulk upsert from CSV, 120 columns",
    (
        product("rows checked, results joined to source rows", write_job("upsert", "bulk", WIDE)),
        simple("bulk_upsert", _SPLIT, _mapped(WIDE)),
    ),
    count=lambda bench: bench.wide_rows,
    shape=WIDE,
)
ALL_ROWS = f"{PRODUCT}, all rows"
PLAN = f"{PRODUCT} plan"
_ONLY_CHANGES = Work(
    "only_changes",
    "Upsert from CSV of which one row in 1,000 differs",
    (
        product(
            "records read over Bulk, rows compared, only changes sent",
            write_job("upsert", "auto", PLAIN, only_changes=True),
        ),
        product(
            "all rows sent over Bulk, as they are",
            write_job("upsert", "bulk", PLAIN),
            name=ALL_ROWS,
        ),
        product(
            "records read over Bulk, rows compared, nothing sent",
            write_job("upsert", "auto", PLAIN),
            "plan",
            "-q",
            name=PLAN,
        ),
    ),
    shape=PLAIN,
)
_REST_QUERY = Work(
    "rest_query",
    "REST query → CSV file",
    (
        curl(
            "bytes copied, not parsed",
            word("-o"),
            out("rows.json"),
            lambda b: f"{b.api}/query/01g-[0-{max(b.rest_rows - 1, 0)}:{rows.PAGE_ROWS}]",
        ),
        product("records parsed", query_job("rest")),
        simple("rest_query", "records parsed"),
        script("aiosalesforce", "aiosalesforce", "rest_query", "records parsed"),
        jsforce("rest_query", "records parsed"),
        sf(
            "records parsed",
            *words("data query --result-format csv --query"),
            word(rows.SOQL),
            word("--output-file"),
            out("rows.csv"),
        ),
    ),
    count=lambda bench: bench.rest_rows,
)
_REST_UPSERT = Work(
    "rest_upsert",
    "REST upsert, 200 rows and a delay per request",
    (
        product(
            "rows mapped and checked, requests in parallel",
            write_job("upsert", "rest", MAPPED, THREE_EXPRESSIONS),
        ),
        simple("rest_upsert", "one request at a time", _mapped(MAPPED, over_rest=True)),
    ),
    count=lambda bench: bench.upsert_rows,
    shape=MAPPED,
    over_rest=True,
)
_VALIDATE = Work(
    "validate",
    "runner validate of a job with ten expressions",
    (product("no row", write_job("upsert", "bulk", MAPPED, TEN_EXPRESSIONS), "validate"),),
    count=lambda _bench: 0,
)
WORKS = (
    _BULK_QUERY,
    _BULK_PARQUET,
    _BULK_JSON_LINES,
    _BULK_SQLITE,
    _BULK_POSTGRESQL,
    _BULK_UPSERT,
    _expressions("bulk_upsert_3", "three columns by SQL expressions", THREE_EXPRESSIONS),
    _expressions("bulk_upsert_10", "ten columns by SQL expressions", TEN_EXPRESSIONS),
    _BULK_CREATE,
    _BULK_WIDE,
    _ONLY_CHANGES,
    _REST_QUERY,
    _REST_UPSERT,
    _VALIDATE,
)
