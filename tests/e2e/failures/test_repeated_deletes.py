"""A delete whose answer was lost is sent again; what was gone before is not its success."""

import time

import pytest

DELETE = "- name: gone\n  delete: Account\n  from: ids.csv\n  api: rest\n"


@pytest.mark.parametrize("version", ["62.0", "41.0"])
def test_a_record_that_was_gone_before_stays_failed(bench, org, version):
    ids = [org.create("Account", Name=f"n {n}") for n in range(3)]
    path = f"/services/data/v62.0/sobjects/Account/{ids[1]}"
    assert org.request("DELETE", path).status_code == 204
    bench.write("ids.csv", "Id\n" + "\n".join(ids) + "\n")
    org.fault(kind="answer_lost", method="DELETE", path="sobjects", times=1)
    connection = f"{{environment: local, api_version: '{version}'}}"
    time.sleep(1.1)  # the org tells times to the second
    ended = bench.run("run", bench.job(DELETE, connection=connection), "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    counts = ended.task("gone")["counts"]
    assert (counts["deleted"], counts["failed"]) == (2, 1)
    assert ended.task("gone")["top_errors"][0]["code"] == "ENTITY_IS_DELETED"
