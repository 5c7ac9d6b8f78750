"""Samples of the addresses of units; see tests/samples.py."""

from oms.models import EVERYONE, Person
from tests.samples import Case, Sample
from tests.serials.factories import make_unit, make_units


def unit(_person: Person) -> Case:
    """A unit in a bin."""
    return Case({"pk": make_unit().pk})


SAMPLES = {
    "serials": Sample(get=EVERYONE, rows=make_units),
    "serial": Sample(unit, get=EVERYONE),
    "serial_history": Sample(unit, get=EVERYONE),
    "serial_label": Sample(unit, get=EVERYONE),
}
