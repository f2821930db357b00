"""The page of a run in a real browser, and its small parts."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.errors import ExitCode
from runner.outcome import Counts, TaskOutcome, TaskStatus
from runner.report.run.page import bars, facts_of, history_html, link, run_html
from runner.state.process import ProcessIdentity
from runner.state.run_records import RunRecord, RunState, TaskRecord

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BEGAN = datetime(2026, 11, 29, 2, 30, tzinfo=UTC)
EVIL = "<script>document.title='gone'</script><img src=https://evil.example/x>"
FAILED = "Name,Email,sf__Row,sf__Id,sf__Code,sf__Message,sf__Fields\n"


def at(seconds, name, **members):
    return {"event": name, "time": (BEGAN + timedelta(seconds=seconds)).isoformat(), **members}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "r1" / "a b"
    folder.mkdir(parents=True)
    text = f'{FAILED}"{EVIL}",e,7,,BAD,"{EVIL}",Name\n'
    (folder / "failed.csv").write_text(text, encoding="utf-8")
    outcome = TaskOutcome(
        "a b",
        "create",
        "Account",
        TaskStatus.PARTIAL,
        Counts(read=9, created=8, failed=1),
        api="rest",
        api_calls=1,
        exit_code=ExitCode.PARTIAL,
        results=folder,
        notes=(EVIL,),
    )
    return RunRecord(
        "20261129-023000-7f3a",
        f"night {EVIL}",
        Path("night.yaml"),
        "",
        BEGAN,
        ProcessIdentity(1, "host", None),
        state=RunState.FINISHED,
        finished=BEGAN + timedelta(seconds=9),
        folder=folder.parent,
        exit_code=ExitCode.PARTIAL,
        tasks=(TaskRecord("a b", 0, "create", "Account", outcome=outcome, final=True),),
    )


EVENTS = [
    at(0, "run.started"),
    at(1, "org.api_calls", used=10, maximum=15_000),
    at(1, "task.started", task="a b"),
    at(2, "request.retrying", reason=EVIL),
    at(4, "task.progress", task="a b", rows_done=9),
    at(5, "task.finished", task="a b"),
    at(5, "org.api_calls", used=14, maximum=15_000),
]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_it_fits_screen_and_phone_runs_nothing_and_asks_for_nothing_else(run, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    older = replace(run, run_id="20261128-023000-0000", exit_code=ExitCode.DONE)
    page_file = tmp_path / "out" / "report.html"
    page_file.parent.mkdir()
    facts = facts_of(run, EVENTS, page_file.parent, BEGAN)
    page_file.write_text(run_html(facts, [run, older]), encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        said = []
        page.on("request", lambda request: said.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(page_file.as_uri())
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 844})
                assert page.evaluate("document.documentElement.scrollWidth") == width
        assert said == [page_file.as_uri()], "the page itself, no warning, no other request"
        assert page.title().startswith("Run 20261129-023000-7f3a of night <script>")
        assert page.locator("img, script").count() == 0
        assert page.locator(".example .why").inner_text() == f"row 7 {EVIL}"
        assert page.locator(".runs tbody tr").count() == 2
        assert "10 of 15,000" in page.locator(".usage").inner_text()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "tasks"
        page.click("text=failed.csv", no_wait_after=True)
        browser.close()
    assert (page_file.parent / facts.tasks[0].files[0].link.replace("%20", " ")).exists()
    assert facts.tasks[0].files[0].link == "../runs/r1/a%20b/failed.csv"


def test_a_run_that_died_has_what_is_known_of_it(run, tmp_path):
    (task,) = run.tasks
    died = replace(
        run,
        state=RunState.DIED,
        finished=None,
        exit_code=None,
        tasks=(replace(task, outcome=None), TaskRecord("later", 1, "query", "Lead")),
    )
    facts = facts_of(died, [], tmp_path, BEGAN)
    assert facts.state == "died"
    page = run_html(facts, [died])
    assert "No log of this run has when its tasks ran." in page
    assert page.count('<p class="badge bad">died</p>') == 2
    assert "BAD" in page, "its result files are there"


def test_the_runs_of_a_job_are_a_page(run):
    page = history_html("night", [run] * 30, BEGAN)
    assert page.count("<tr>") == 31
    assert "The last 30 runs" in page
    assert EVIL not in page


def test_few_rows_are_still_seen_and_fill_the_bar_with_the_others():
    found = bars(Counts(read=100_001, created=100_000, failed=1))
    assert [each.kind for each in found] == ["created", "failed"]
    assert found[1].length > 1
    assert sum(each.length for each in found) == pytest.approx(100, abs=0.1)
    assert bars(Counts()) == ()


def test_a_file_is_linked_from_the_folder_of_the_page():
    assert link(Path("/a/b c/x.csv"), Path("/a")) == "./b%20c/x.csv"
