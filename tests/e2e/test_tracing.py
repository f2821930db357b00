"""Traces and metrics, as a receiver of OTLP gets them."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.apis import OVER_REST

JOB = """
- name: load
  upsert: Account
  key: ERP_Id__c
  api: {api}
  from: rows.csv
- name: list
  query: SELECT Id FROM Account
  to: out.csv
"""
KINDS = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.got.append(KINDS[self.path].FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_words):
        pass


@pytest.fixture
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def plain(attributes):
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def spans(server):
    """Every span with its attributes, and the names of those around it."""
    found = [
        span
        for got in server.got
        if isinstance(got, ExportTraceServiceRequest)
        for resource in got.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    by_id = {span.span_id: span for span in found}

    def path(span):
        parent = by_id.get(span.parent_span_id)
        return (*(path(parent) if parent else ()), span.name)

    return [(path(span), span, plain(span.attributes)) for span in found]


@OVER_REST
def test_a_run_is_a_tree_of_its_tasks_parts_and_requests(bench, org, receiver, api):
    bench.write("rows.csv", "ERP_Id__c,Name\nE1,Ada Lovelace\nE2,\n")
    bench.env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.server_port}"}
    ended = bench.run("run", bench.job(JOB.format(api=api)))
    assert ended.code == 3, ended.err
    assert "not all sent" not in ended.err
    found = spans(receiver)
    paths = {path for path, _, _ in found}
    (run,) = [about for path, _, about in found if path == ("run test",)]
    assert run["sfrunner.exit_code"] == 3
    assert run["server.address"] == "127.0.0.1"
    assert ("run test", "task load", "part", {"rest": "PATCH", "bulk": "POST"}[api]) in paths
    assert ("run test", "GET") in paths, "before the tasks"
    (load,) = [(span, about) for path, span, about in found if path == ("run test", "task load")]
    assert load[1]["sfrunner.rows.failed"] == 1
    assert load[1]["sfrunner.task.status"] == "partial"
    requests = [(span, about) for _, span, about in found if "http.request.method" in about]
    for span, about in requests:
        assert span.kind == span.SPAN_KIND_CLIENT
        assert about["http.response.status_code"] < 400
        assert about["url.full"].startswith(org.url + "/services/")
        assert "?" not in about["url.full"]
        assert span.start_time_unix_nano < span.end_time_unix_nano
    sent = b"".join(got.SerializeToString() for got in receiver.got)
    for secret in (b"Lovelace", b"SELECT", org.token.encode()):
        assert secret not in sent
    measured = {
        metric.name: metric
        for got in receiver.got
        if isinstance(got, ExportMetricsServiceRequest)
        for resource in got.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert measured["http.client.request.duration"].unit == "s"
    rows = {
        plain(point.attributes)["sfrunner.outcome"]: point.as_int
        for point in measured["sfrunner.rows"].sum.data_points
    }
    assert rows == {"created": 1, "failed": 1, "written": 1}
    (resource,) = {
        plain(got.resource_spans[0].resource.attributes)["service.name"]
        for got in receiver.got
        if isinstance(got, ExportTraceServiceRequest)
    }
    assert resource == "sfrunner"


def test_a_receiver_that_is_not_there_is_a_warning(bench, org):
    bench.write("rows.csv", "ERP_Id__c,Name\nE1,A\n")
    bench.env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    ended = bench.run("run", bench.job(JOB.format(api="rest")))
    assert ended.code == 0
    (warned,) = [line for line in ended.err.splitlines() if line.startswith("warning")]
    assert warned.startswith("warning: traces and metrics were not all sent: ")
    assert "Traceback" not in ended.err
