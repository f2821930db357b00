"""`docs/explanation/retry.md` shows the table that the code decides by."""

from pathlib import Path

from runner.salesforce.http.retry_table import TABLE, Phase, Rule

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "retry.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
HEADER = "| | what came back | about | what the runner does | because |\n|---|---|---|---|---|\n"


def line_of(number: int, rule: Rule) -> str:
    cells = [str(number), met(rule), about(rule), done(rule), rule.reason]
    return "| " + " | ".join(cells) + " |\n"


def met(rule: Rule) -> str:
    if set(rule.phases) == set(Phase):
        return "anything else"
    where = {
        (Phase.UNSENT,): "no connection",
        (Phase.LOST,): "no whole answer",
        (Phase.REFUSED,): "request refused",
        (Phase.ROW,): "row refused",
        (Phase.REFUSED, Phase.ROW): "request or row refused",
    }[rule.phases]
    marks = [str(status) for status in rule.statuses] + [f"`{code}`" for code in rule.codes]
    text = "".join(
        [
            f": {', '.join(marks)}" if marks else "",
            f" saying {' or '.join(f'“{text}”' for text in rule.texts)}" if rule.texts else "",
            " without a code of the org" if rule.coded is False else "",
        ]
    )
    return where + text


def about(rule: Rule) -> str:
    idempotent = {None: "any request", True: "safe to repeat", False: "creates"}[rule.idempotent]
    return {
        None: idempotent,
        False: f"{idempotent}, token as it was",
        True: f"{idempotent}, token renewed",
    }[rule.refreshed]


def done(rule: Rule) -> str:
    most = f", {rule.tries} tries at most" if rule.tries else ""
    wait = {"none": "", "backoff": " after a wait", "long": " after a longer wait"}[rule.wait]
    return f"**{rule.action}**{wait}{most}"


def test_the_page_shows_the_table_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    shown = page[page.index(BEGIN) + len(BEGIN) : page.index(END)]
    table = HEADER + "".join(line_of(number, rule) for number, rule in enumerate(TABLE, 1))
    assert shown == table, f"put this between the marks of {PAGE.name}:\n{table}"
