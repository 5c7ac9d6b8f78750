"""GS1 element strings and Digital Link addresses of a unit.

Sources: GS1 General Specifications, sections 3 (application identifiers), 5.4 (GS1-128), 7.8 (element strings in
symbols, FNC1), 7.9 (check digits), 7.11 (character set 82), 7.12 (two-digit years); GS1 Digital Link Standard: URI
Syntax, sections 4.4 to 4.11.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from urllib.parse import quote

from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from oms.errors import DomainError, Text

FNC1 = "\x1d"
"""How this module writes the function character; scanners send it as this separator, too."""
LONGEST = 20
"""Characters of a serial (21) and of a lot (10)."""
MOST_IN_BARS = 48
"""Data characters of one GS1-128 symbol, identifiers and separators among them (section 5.4)."""
CHARACTERS = frozenset("!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
"""Character set 82."""
FIXED = {"01": 14, "17": 6}
"""Predefined lengths: no separator follows them."""
LOT, SERIAL = gettext_lazy("Lot"), gettext_lazy("Serial")
RESOLVER = "https://id.gs1.org"


@dataclass(frozen=True)
class Elements:
    """What a symbol says, as pairs of application identifier and value, those of predefined length first."""

    pairs: tuple[tuple[str, str], ...]

    @property
    def strings(self) -> list[str]:
        """Each element with the separator that it needs where another follows."""
        return [f"{ai}{value}{'' if ai in FIXED else FNC1}" for ai, value in self.pairs]

    @property
    def data(self) -> str:
        """The element string, without the FNC1 that begins the symbol; a separator never ends it."""
        return "".join(self.strings).removesuffix(FNC1)

    @property
    def words(self) -> str:
        """For people: identifiers in brackets."""
        return "".join(f"({ai}){value}" for ai, value in self.pairs)


def elements_of(*, sku: str, gtin: str, serial: str, lot: str = "", expires_on: date | None = None) -> Elements:
    """The elements of a unit: (01) GTIN, (17) expiry, (10) lot, (21) serial.

    Raises DomainError, naming what it is about, for a SKU without GTIN and for what GS1 cannot say, such as an expiry
    that readers take for one of another century.
    """
    if not gtin:
        raise DomainError(
            _("SKU “%(sku)s” has no GTIN, which a GS1 symbol begins with: enter it on the SKU, or print Code 128.")
            % {"sku": sku}
        )
    pairs = [("01", gtin.zfill(14))]
    if expires_on is not None:
        pairs.append(("17", _six_digits(expires_on, timezone.now().year)))
    if lot:
        pairs.append(("10", _checked(lot, LOT)))
    pairs.append(("21", _checked(serial, SERIAL)))
    return Elements(tuple(pairs))


def year_read(digits: int, now: int) -> int:
    """The year that readers take the two digits of a year for in the year `now`: from 49 years ago to in 50 years."""
    first = now - 49
    return first + (digits - first) % 100


@lru_cache(maxsize=4_096)
def _six_digits(day: date, now: int) -> str:
    """A date as GS1 has it, in the year `now`; labels of a run share few."""
    year = year_read(day.year % 100, now)
    if year == day.year:
        return f"{day:%y%m%d}"
    words = _("Expiry “%(day)s” cannot stand in a GS1 symbol, which has two digits of a year: it is read as %(year)s.")
    raise DomainError(words % {"day": day.isoformat(), "year": year} + " " + _("Print Code 128."))


def _checked(value: str, what: Text) -> str:
    if len(value) <= LONGEST and CHARACTERS.issuperset(value):
        return value
    raise DomainError(
        _("%(what)s “%(value)s” cannot stand in a GS1 symbol, which holds %(most)s characters without spaces.")
        % {"what": what, "value": value, "most": LONGEST}
        + " "
        + _("Print Code 128.")
    )


def digital_link(elements: Elements, resolver: str = RESOLVER) -> str:
    """The address of a unit: key and qualifiers in the path, in the order of the standard, all else in the query."""
    said = dict(elements.pairs)
    path = "".join(f"/{ai}/{quote(said[ai], safe='')}" for ai in ("01", "10", "21") if ai in said)
    query = "&".join(f"{ai}={quote(said[ai], safe='')}" for ai in ("17",) if ai in said)
    return f"{resolver.rstrip('/')}{path}{'?' + query if query else ''}"


def parse(data: str) -> dict[str, str]:
    """Application identifier → value of an element string as scanners send it. Raises ValueError for another one."""
    found: dict[str, str] = {}
    rest = data.removeprefix(FNC1)
    while rest:
        ai, rest = rest[:2], rest[2:]
        if ai in FIXED:
            value, rest = rest[: FIXED[ai]], rest[FIXED[ai] :].removeprefix(FNC1)
        elif ai in {"10", "21"}:
            value, _separator, rest = rest.partition(FNC1)
        else:
            raise ValueError(f"Unknown application identifier at “{ai}{rest}”.")
        found[ai] = value
    return found
