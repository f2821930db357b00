import re

import pytest
from msgspec.structs import replace

from runner.plan import Change, PlannedCell, PlannedRow, TaskPlan
from runner.report.plan.markdown import MOST_BYTES, plan_markdown


def test_the_summary_comes_first_and_the_rows_are_folded(plan):
    text = plan_markdown([plan])
    assert text.startswith("### Plan of `nightly`\n\n**create 12, update 312, delete 31")
    assert "| `accounts` | upsert `Account` | 12 | 312 | | 9,676 | 3 | bulk, 9 API calls" in text
    assert "`` clear_leads" not in text
    assert "- ``clear_leads would delete 31 records, and `max_deletes` allows 20``" in text
    assert text.count("<details>") == text.count("</details>") == 3
    assert '-     Phone  "030 1"\n+     Phone  "030 2"\n' in text
    assert text.index("<details>") > text.index("| `notify` |")


def outside_of_code(text):
    """What GitHub reads as Markdown: no fences, no code spans."""
    text = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)


NASTY = "```\n</details> @team <img src=x> | [x](y) `` \x00"


def test_texts_of_others_are_no_markup(plan):
    cells = (PlannedCell("Name", NASTY, NASTY + "2"),)
    rows = (PlannedRow(1, Change.REFUSED, NASTY, NASTY, cells, NASTY, NASTY),)
    task = TaskPlan(NASTY, "upsert", NASTY, key=NASTY, counts={Change.REFUSED: 2}, rows=rows,
                    unknown=(NASTY,), notes=(NASTY,))  # fmt: skip
    text = plan_markdown([replace(plan, job=NASTY, instance_url=NASTY, tasks=(task,), trips=())])
    left = outside_of_code(text.replace("&lt;/details&gt;", ""))
    title = re.search("<summary>(.*?)</summary>", left)[1]
    assert "<" not in title.removeprefix("<code>").removesuffix("</code>: what changes")
    left = left.replace(title, "")
    assert "@team" not in left
    assert "<img" not in left
    assert left.count("</details>") == 1
    table = next(line for line in text.splitlines() if line.startswith("| `"))
    assert len(re.findall(r"(?<!\\)\|", table)) == 5


@pytest.mark.parametrize("tasks", [1, 40, 3_000])
@pytest.mark.parametrize("jobs", [1, 3, 2_000])
def test_it_fits_a_comment_whatever_the_size(plan, tasks, jobs):
    value = "ü" * 60
    cells = tuple(PlannedCell(f"F{n}__c", value, value + "x") for n in range(5))
    rows = tuple(PlannedRow(n, Change.UPDATE, "001" * 6, "K", cells) for n in range(10))
    task = TaskPlan("t", "upsert", "Account", counts={Change.UPDATE: 10}, rows=rows)
    long = replace(plan, tasks=tuple(replace(task, name=f"task_{n}") for n in range(tasks)))
    text = plan_markdown([replace(long, job=f"job_{n}") for n in range(min(jobs, 4_000 // tasks))])
    assert len(text.encode()) <= MOST_BYTES
    assert "`job_0`" in text
    assert "`task_0`" in text
    assert text.count("<details>") == text.count("</details>")
    if tasks * jobs > 200:
        assert "left out" in text
    if jobs == 1:
        assert "-     F0__c" in text
