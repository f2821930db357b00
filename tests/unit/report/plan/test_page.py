"""The page of a plan in a real browser."""

import re
import shutil

import pytest
from msgspec.structs import replace

from runner.plan import Change, PlannedCell, PlannedRow, TaskPlan
from runner.report.plan.page import bars, plan_html, sides

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def shown(plan, tmp_path, browser):
    """The page, opened from a file; everything that it asks for or complains of."""
    file = tmp_path / "plan.html"
    file.write_text(plan_html([plan]), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.said = []
    page.on("request", lambda request: page.said.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(file.as_uri())
    yield page
    page.close()


def listed(page):
    """The rows that a person sees, by task."""
    return page.eval_on_selector_all(
        ".row",
        "rows => rows.filter(row => row.offsetParent !== null).map("
        "row => row.closest('.task').dataset.task + ' ' + row.querySelector('.part').innerText)",
    )


@needs_browser
def test_it_fits_screen_and_phone_and_asks_for_nothing_else(shown):
    for scheme in ("light", "dark"):
        shown.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            shown.set_viewport_size({"width": width, "height": 844})
            assert shown.evaluate("document.documentElement.scrollWidth") == width
    assert len(shown.said) == 1, "the page itself, no warning, no other request"
    assert shown.locator("text=<b>Alpha</b> | `x` @team").count() == 1


@needs_browser
def test_rows_are_filtered_by_task_kind_and_field(shown):
    everything = listed(shown)
    assert len(everything) == 6
    shown.select_option("[name=task]", "clear_leads")
    assert listed(shown) == ["clear_leads row 1"]
    shown.click("text=Show all")
    shown.wait_for_selector("text=6 of 6 rows")
    shown.select_option("[name=field]", "Phone")
    assert listed(shown) == ["accounts row 17", "accounts row 18"]
    assert shown.locator(".cells div:visible").count() == 2, "of these rows only this field"
    shown.click("text=Show all")
    shown.wait_for_selector("text=6 of 6 rows")
    for kind in ("delete", "refused", "update", "unchanged"):
        shown.click(f".tile.{kind}")
    assert listed(shown) == ["accounts row 4"]
    assert shown.locator(".task:visible").count() == 1
    shown.click(".tile.create")
    assert shown.locator("#none").is_visible()


@needs_browser
def test_it_is_used_by_the_keyboard_alone(shown):
    keyboard = shown.keyboard
    keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.innerText") == "Skip to the tasks"
    keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.value") == "create"
    keyboard.press("Space")
    assert "accounts row 4" not in listed(shown)
    shown.focus(".pick[data-pick=Description]")
    keyboard.press("Enter")
    assert listed(shown) == ["accounts row 18"]


def test_it_names_no_other_file_and_no_other_site(plan):
    text = plan_html([plan])
    assert not re.findall(r"""(?:src|href|action)=["'](?!#)|url\(|@import""", text)
    assert text.count("http://") + text.count("https://") == 1, "the org's, as text"


def test_values_mark_what_differs(plan):
    row = PlannedRow(1, Change.UPDATE)
    before, after = sides(PlannedCell("F", "1200 m", "1300 m"), row)
    assert (before.start, before.middle, before.end) == ("1", "2", "00 m")
    assert (after.start, after.middle, after.end) == ("1", "3", "00 m")
    before, after = sides(PlannedCell("F", "aa", "a"), row)
    assert (before.start, before.middle, before.end, after.middle) == ("a", "a", "", "")
    before, after = sides(PlannedCell("F", None, "a\nb"), row)
    assert (before.note, after.middle) == ("blank", "a↵\nb")
    assert sides(PlannedCell("F", None, "x"), PlannedRow(1, Change.CREATE))[0] is None


def test_a_long_value_is_cut_to_what_differs():
    long = "x" * 5_000
    before, after = sides(PlannedCell("F", long + "1", long + "2"), PlannedRow(1, Change.UPDATE))
    assert (before.middle, after.middle) == ("1", "2")
    assert len(before.start) < 700


def test_a_kind_with_few_rows_is_still_seen():
    task = TaskPlan("t", "upsert", "A", counts={Change.CREATE: 1, Change.UNCHANGED: 1_000_000})
    few, many = bars(task)
    assert few.length >= 1
    assert abs(few.length + many.length - 100) < 0.1


def test_several_jobs_are_on_one_page(plan):
    text = plan_html([plan, replace(plan, job="weekly", tasks=())])
    assert "<title>Plan of nightly, weekly</title>" in text
    assert text.count('class="of-job"') == 2
