"""docs/lifecycle.md says what serials/lifecycle.py does. On a failure the right text is in the message: paste it."""

from pathlib import Path

from serials.lifecycle import LOOKS, NEW_UNITS_OF, RULES, Event, Needs, State, Status, diagram

DOCUMENT = Path(__file__).parents[2] / "docs" / "lifecycle.md"
NEEDS = {
    Needs.NOTHING: "",
    Needs.ALLOWED_NEW: "the document allows a unit that Lotline does not know",
    Needs.ACCEPTED: "somebody accepted the discrepancy",
    Needs.UNDONE_HERE: "undoing a receipt of this very replenishment made it void",
    Needs.SAME_LINE: "the unit is reserved for this very order line",
    Needs.LAST_RECEIVE_PLANNED: "nothing happened since its receipt, and it had been planned",
    Needs.LAST_RECEIVE_UNPLANNED: "nothing happened since its receipt, and it had not been planned",
    Needs.LAST_SHIP: "the last thing that happened was a shipment",
}
WORKFLOWS = {"out": "Out", "in_out": "In/Out", "out_bulk": "Out in Bulk"}


def in_words(state):
    return {State.NEW: "(new)", State.VOID: "Incoming + void", None: "by bin"}.get(state) or str(
        Status(state.value).label
    )


def condition(event, path):
    said = NEEDS[path.needs]
    if State.NEW in path.sources and event in NEW_UNITS_OF:
        said = f"{said}; " if said else ""
        said += "SKUs that are " + " or ".join(WORKFLOWS[name] for name in NEW_UNITS_OF[event])
    return said


def event_rows():
    for event, rule in RULES.items():
        process = str(rule.process.label) if rule.process else "unchanged"
        who = ", ".join(sorted(actor.value for actor in rule.actors))
        if event is Event.ANNOTATE:
            yield f"| {event.value} | {process} | any | the same |  | {who} |"
            continue
        for path in rule.paths:
            sources = ", ".join(in_words(state) for state in path.sources)
            only = condition(event, path)
            yield f"| {event.value} | {process} | {sources} | {in_words(path.target)} | {only} | {who} |"


def generated():
    lines = [
        "| Status | Badge |",
        "|---|---|",
        *(f"| {status.label} | {tone}, {shape} |" for status, (tone, shape) in LOOKS.items()),
        "",
        "| Event | ProcessType | From | To | Only where | Who |",
        "|---|---|---|---|---|---|",
        *event_rows(),
        "",
        "```mermaid",
        diagram().rstrip(),
        "```",
    ]
    return "\n".join(lines)


def test_the_document_is_what_the_rules_are():
    text = DOCUMENT.read_text(encoding="utf-8")
    _before, begin, rest = text.partition("<!-- generated: begin -->\n")
    found, end, _after = rest.partition("\n<!-- generated: end -->")
    assert (bool(begin), bool(end)) == (True, True)
    assert found == generated(), f"docs/lifecycle.md should hold:\n{generated()}"


def test_the_diagram_has_every_event_that_changes_a_status():
    drawn = {line.rpartition(": ")[2] for line in diagram().splitlines()[1:]}
    assert drawn == {event.value for event in Event} - {"annotate"}


def test_every_status_looks_different():
    assert set(LOOKS) == set(Status)
    assert len({shape for _tone, shape in LOOKS.values()}) == len(Status)
