"""docs/replenishment-lifecycle.md says what replenishment/lifecycle.py does; a failure shows the right text."""

from pathlib import Path

from replenishment.lifecycle import KEEPS, RULES, WHO, Status, Step
from replenishment.tables import STATUS_TONES

DOCUMENT = Path(__file__).parents[2] / "docs" / "replenishment-lifecycle.md"


def in_words(statuses):
    return ", ".join(str(status.label) for status in Status if status in statuses)


def generated():
    badges = [f"| {status.label} | {STATUS_TONES[status].tone}, {STATUS_TONES[status].shape} |" for status in Status]
    steps = [
        f"| {step.label} | {in_words(RULES[step][0])} | {'the same' if step in KEEPS else in_words(RULES[step][1])} "
        f"| {', '.join(sorted(actor.value for actor in WHO[step]))} |"
        for step in Step
    ]
    return "\n".join(
        ["| Status | Badge |", "|---|---|", *badges, "", "| Step | From | To | Who |", "|---|---|---|---|", *steps]
    )


def test_the_document_is_what_the_rules_are():
    text = DOCUMENT.read_text(encoding="utf-8")
    _before, begin, rest = text.partition("<!-- generated: begin -->\n")
    found, end, _after = rest.partition("\n<!-- generated: end -->")
    assert (bool(begin), bool(end)) == (True, True)
    assert found == generated(), f"docs/replenishment-lifecycle.md should hold:\n{generated()}"


def test_every_step_has_a_rule_and_somebody_who_does_it():
    assert set(RULES) == set(WHO) == set(Step)
    assert all(RULES[step][0] == RULES[step][1] for step in KEEPS)


def test_every_status_can_be_reached_and_looks_different():
    reached = {Status.INCOMPLETE}.union(*(targets for step, (_from, targets) in RULES.items() if step not in KEEPS))
    assert reached == set(Status)
    assert len(set(STATUS_TONES.values())) == len(Status)
