"""A signal ends a command wherever it is, also if what it waits for never comes."""

import signal
import threading

SECONDS = 120
"""More than a start takes on a busy machine; nothing waits that long for what comes."""


def test_a_signal_ends_what_threads_ask_of_an_org_that_never_answers(bench, proxy):
    asked, hold = threading.Event(), threading.Event()

    def never(passing):
        if "/query" in passing.path and "ERP_Id__c" in passing.path:
            asked.set()
            hold.wait(SECONDS)

    proxy.change = never
    bench.write("a.csv", "ERP_Id__c,Name\nE1,Ada\n")
    # Threads ask what the records hold before they are changed.
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv, undo: true, api: rest}",
        connection=f"{{environment: local, url: '{proxy.url}', token: {{env: T}}}}",
    )
    process = bench.begin("run", job)
    try:
        assert asked.wait(SECONDS)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        hold.set()
    assert process.returncode == 143, err
    assert "runner resume" in out
