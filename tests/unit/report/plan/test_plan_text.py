from msgspec.structs import replace

from runner.plan import Change, PlannedCell, PlannedRow, TaskPlan
from runner.report.plan.text import plan_text

SHOWN = """\
plan of nightly: jobs/nightly.yaml
on https://acme.my.salesforce.com as sync@acme.example (org 00D000000000001EAA), API version 65.0

accounts     upsert Account  create 12  update 312  unchanged 9,676  refused 3  (bulk, 9 API calls, 1 Bulk job)
  Phone: 312 records, 14 of them emptied
  Description: 41 records
  Name: 1 record
  + row 4  ERP_Id__c K-4   Name  "Müller"  Parent.ERP_Id__c  "K-1"
  + 11 more rows to create
  ~ row 17  001AA0000000017AAA  ERP_Id__c K-17   Phone  "030 1" → "030 2"
  ~ row 18  001AA0000000018AAA  ERP_Id__c K-18
      Phone        "030 1" → blank
      Description  "… something differs: old\\nand on" → "… something differs: new\\nand on"
      Secret__c    unknown → "s3cr3t"
      Name         "Alpha" → "<b>Alpha</b> | `x` @team"
  ~ 310 more rows to update
  ! row 58  ERP_Id__c K-58   REQUIRED_FIELD_MISSING: Required fields are missing: [Name]
  ! row 204  ERP_Id__c K-204   INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: Tier__c: bad value for restricted picklist field: Platinum
  ! 1 more row refused
  2 x INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: Tier__c: bad value for restricted picklist field: Platinum (first: row 204)

old_leads    query Lead      found 31  (rest, 1 API call)
clear_leads  delete Lead     delete 31  (rest, 1 API call)
  - row 1  00QAA0000000001AAA
  - 30 more rows to delete

notify       create Task     rows not known yet  (0 API calls)
  Which rows of `accounts` fail is only known after the run.

the run would stop: clear_leads would delete 31 records, and `max_deletes` allows 20
  --> jobs/nightly.yaml:12:5
plan: create 12, update 312, delete 31, unchanged 9,676, refused 3; not known yet: notify
API calls: about 11 of the 14,982 left today (limit 15,000)"""  # noqa: E501


def test_a_plan_is_shown_task_by_task_with_its_first_rows(plan):
    assert plan_text([plan]).plain == SHOWN


def test_values_before_and_after_are_coloured(plan):
    text = plan_text([plan])
    styles = {text.plain[each.start : each.end]: each.style for each in text.spans}
    assert styles['"030 1"'] == "red"
    assert styles['"030 2"'] == "green"
    assert styles["refused 3"] == "bold red"


def test_a_value_cannot_control_the_terminal_or_end_the_line(plan):
    cell = PlannedCell("Name", None, 'a\x1b[31m\nb "c"')
    rows = (PlannedRow(1, Change.CREATE, cells=(cell,)),)
    task = TaskPlan("t", "create", "Account", counts={Change.CREATE: 1}, rows=rows)
    shown = plan_text([replace(plan, tasks=(task,), trips=())]).plain
    assert '+ row 1   Name  "a\N{REPLACEMENT CHARACTER}[31m\\nb \\"c\\""' in shown


def test_a_job_with_nothing_to_do_says_so(plan):
    assert "plan: nothing to do" in plan_text([replace(plan, tasks=(), trips=())]).plain


def test_a_message_that_repeats_a_value_stays_on_its_line(plan):
    rows = (PlannedRow(1, Change.REFUSED, code="CODE", message="bad\nplan: nothing to do"),)
    task = TaskPlan("t", "create", "Account", counts={Change.REFUSED: 1}, rows=rows)
    shown = plan_text([replace(plan, tasks=(task,), trips=())]).plain
    assert "! row 1   CODE: bad plan: nothing to do" in shown
