import json

import pytest
from msgspec.structs import replace

from runner.plan import Change, PlannedCell, PlannedRow, Refusal, TaskPlan
from runner.report.plan.document import plan_document
from runner.report.plan.markdown import plan_markdown
from runner.report.plan.masking import masked, unknown_fields
from runner.report.plan.page import plan_html
from runner.report.plan.text import plan_text

VIEWS = {
    "text": lambda plan: plan_text([plan]).plain,
    "json": lambda plan: json.dumps(plan_document(plan), ensure_ascii=False),
    "markdown": lambda plan: plan_markdown([plan]),
    "html": lambda plan: plan_html([plan]),
}


def with_value_everywhere(plan, value="anna@acme.example"):
    """The value of Email is in cells, in another field, in the key and in messages."""
    cells = (
        PlannedCell("Email", "old-" + value, value),
        PlannedCell("Owner.Email", None, value),
        PlannedCell("Label__c", None, f"Anna ({value})"),
    )
    told = f"Email (`mail`): '{value}' is longer than 10 characters"
    rows = (
        PlannedRow(1, Change.UPDATE, "003AA0000000001AAA", value, cells),
        PlannedRow(2, Change.REFUSED, None, value, (), "VALUE_DOES_NOT_FIT", told),
        PlannedRow(3, Change.REFUSED, None, value, (), "TWICE", f"{value} is also in row 2"),
    )
    columns = ("Email", "Label__c", "Owner.Email")
    task = TaskPlan("people", "upsert", "Contact", key="Email", columns=columns,
                    counts={Change.UPDATE: 1, Change.REFUSED: 5}, rows=rows,
                    refusals=(Refusal("VALUE_DOES_NOT_FIT", told, 4, 2),))  # fmt: skip
    return replace(plan, tasks=(task,))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["Email", "email", "Contact.Email"])
def test_a_masked_value_is_in_no_view(plan, view, name):
    whole = with_value_everywhere(plan)
    assert "anna@acme" in VIEWS[view](whole)
    hidden = with_value_everywhere(plan)
    shown = VIEWS[view](masked(hidden, [name, "Owner.Email"]))
    assert "anna@acme" not in shown
    assert "Email" in shown
    assert "VALUE_DOES_NOT_FIT" in shown


def test_a_short_name_masks_the_field_of_a_parent_too(plan):
    (task,) = masked(with_value_everywhere(plan), ["email"]).tasks
    assert [cell.is_masked for cell in task.rows[0].cells] == [True, True, False]
    (task,) = masked(with_value_everywhere(plan), ["Account.Email"]).tasks
    assert [cell.is_masked for cell in task.rows[0].cells] == [False, False, False]


def test_other_fields_keep_their_values(plan):
    shown = masked(plan, ["Phone"])
    texts = VIEWS["text"](shown)
    assert "030 1" not in texts
    assert 'Name  "Müller"' in texts
    assert shown.masked == ("Phone",)


def test_a_name_that_no_task_fills_is_found(plan):
    assert unknown_fields([plan], ["Phone", "Fone", "Account.Name", "Lead.Name"]) == [
        "Fone",
        "Lead.Name",
    ]
