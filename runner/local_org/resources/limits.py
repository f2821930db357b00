"""`/limits` and `/limits/recordCount`: remaining requests and numbers of records.

Knows the names of limits and a Developer Edition's maxima. Counts no requests.
"""

from __future__ import annotations

from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.store import quoted
from runner.local_org.usage import ApiUsage

_MAXIMA = {
    "ConcurrentAsyncGetReportInstances": 200,
    "ConcurrentSyncReportRuns": 20,
    "DailyApiRequests": 15_000,
    "DailyAsyncApexExecutions": 250_000,
    "DailyBulkApiBatches": 15_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyBulkV2QueryJobs": 10_000,
    "DailyDurableStreamingApiEvents": 10_000,
    "DailyGenericStreamingApiEvents": 10_000,
    "DailyStreamingApiEvents": 10_000,
    "DailyWorkflowEmails": 1_000,
    "DataStorageMB": 5,
    "FileStorageMB": 20,
    "HourlyAsyncReportRuns": 1_200,
    "HourlyDashboardRefreshes": 200,
    "HourlySyncReportRuns": 500,
    "HourlyTimeBasedWorkflow": 50,
    "MassEmail": 10,
    "SingleEmail": 15,
}


def _limits(org: Org, _request: Request) -> Response:
    usage = org.part(ApiUsage)
    limits = {name: {"Max": most, "Remaining": most} for name, most in _MAXIMA.items()}
    limits["DailyApiRequests"] = {
        "Max": usage.maximum,
        "Remaining": max(0, usage.maximum - usage.used),
    }
    return Response.of_json(limits)


def _record_count(org: Org, request: Request) -> Response:
    """Counts by sObject, without those that have no records."""
    names = [each.strip() for each in request.arg("sObjects").split(",") if each.strip()]
    wanted = (
        [found for each in names if (found := org.catalog.sobject(each)) is not None]
        if names
        else list(org.catalog.sobjects)
    )
    counts = []
    with org.store.reading() as conn:
        for sobject in sorted(wanted, key=lambda each: each.name):
            (count,) = conn.execute(
                f"SELECT COUNT(*) FROM {quoted(sobject.name)} WHERE IsDeleted = 0"  # noqa: S608
            ).fetchone()
            if count:
                counts.append({"count": count, "name": sobject.name})
    return Response.of_json({"sObjects": counts})


ROUTES = (
    Route("GET", "/limits", _limits, min_version=24.0),
    Route("GET", "/limits/recordCount", _record_count, min_version=40.0),
)
