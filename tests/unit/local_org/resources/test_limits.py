from datetime import UTC, datetime, timedelta

from runner.local_org.app import open_org
from runner.local_org.org import Settings
from runner.local_org.usage import ApiUsage


def test_limits_tell_what_is_left(rest):
    limits = rest.get("/limits").json()
    assert limits["DailyApiRequests"]["Max"] == 15_000
    assert set(limits["DailyBulkV2QueryJobs"]) == {"Max", "Remaining"}


def test_record_counts_leave_out_objects_without_records(rest):
    rest.create("Account", Name="A")
    gone = rest.create("Account", Name="B")
    rest.delete(f"/sobjects/Account/{gone}")
    answer = rest.get("/limits/recordCount?sObjects=Lead,Account,Nope")
    assert answer.json() == {"sObjects": [{"count": 1, "name": "Account"}]}


def test_requests_count_for_24_hours(tmp_path):
    moments = [datetime(2024, 1, 1, tzinfo=UTC)]
    org = open_org(tmp_path, settings=Settings(daily_api_requests=2))
    org.clock = lambda: moments[-1]
    usage = ApiUsage(org)
    usage.count()
    assert (usage.used, usage.exhausted) == (1, False)
    moments.append(moments[-1] + timedelta(hours=23))
    usage.count()
    assert (usage.used, usage.exhausted) == (2, True)
    moments.append(moments[-1] + timedelta(hours=2))
    assert (usage.used, usage.exhausted) == (1, False)
    org.store.close()
