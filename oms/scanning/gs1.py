"""What a GS1 symbol says, as scanners send it: element strings, text in brackets, Digital Link addresses. No database.

Sources: GS1 General Specifications, sections 3 (application identifiers), 5.4 and 7.8 (FNC1, symbology identifiers),
7.9 (check digits), 7.11 (character set 82); GS1 Digital Link Standard: URI Syntax; ISO/IEC 15424 (AIM identifiers).
Application identifiers are those of the library biip.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import parse_qsl, unquote, urlsplit

from biip import ParseConfig, ParseError, gs1_prefixes
from biip.checksums import gs1_standard_check_digit
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message

FNC1 = "\x1d"
"""How most scanners send the function character that ends an element."""
SUBSTITUTES = ("<GS>", "{GS}", "[GS]", "<FNC1>", "{FNC1}", r"\x1d", r"\u001d", r"\F", "^]", "\u241d", "~", "|")
"""What others send in its place, because they type it like a keyboard."""
_PLAIN_SIGNS = frozenset("~|")
"""Those that may well stand in a text that is no GS1."""
_AIM = re.compile(r"\](?P<code>[A-VX-Zcdeopsz])(?P<modifier>[0-9A-F])")
_SAYS_GS1 = frozenset({"C1", "d2", "Q3", "e0", "J1"})
_SAYS_PRODUCT = frozenset({"E0", "E1", "E2", "E3", "E4"})
"""EAN and UPC."""
_BRACKETS = re.compile(r"\((\d{2,4})\)")
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_GTIN_STEPS = {"01", "gtin"}
_LOOKS_LIKE_GS1 = re.compile(r"\((?:00|01|02|10|17|21)\)|https?://[^?#]*/(?:01|gtin)/", re.IGNORECASE)
_WITHIN = re.compile(r"(?<=.)(?=01(?P<gtin>[0-9]{14})(?:1[0157]|21|$))", re.DOTALL)
"""Where another (01) with its GTIN may begin within a value: behind it is an identifier or nothing."""
_SAID_ONCE = frozenset({"01", "10", "17", "21"})
_LONGEST = 1_000
# Dates of zeros stand in real symbols; they are no reason to read nothing of it.
_CONFIG = ParseConfig(gs1_element_strings_verify_date=False)


def _forget_companies() -> None:
    """Which company a prefix belongs to is nothing that Lotline asks, and it fills 12 MB of each process."""
    companies = getattr(gs1_prefixes, "_GS1_COMPANY_PREFIX_TRIE", None)  # biip's own: another release may lack it
    if isinstance(companies, dict):
        companies.clear()


_forget_companies()


@dataclass(frozen=True, slots=True)
class Elements:
    """What a symbol says of one good: empty where it says nothing about it.

    `is_declared`: it says of itself that it is GS1, by its AIM prefix, by brackets, separators or as an address.
    `whole` is all of it without separators. `repeats` are the parts, where it is several scans in one text; beside them
    a serial is what it says if it is only one.
    """

    gtin: str = ""
    serial: str = ""
    lot: str = ""
    expires_on: date | None = None
    is_declared: bool = False
    whole: str = ""
    repeats: tuple[str, ...] = ()
    unparted: tuple[tuple[str, str, str], ...] = ()
    """Lot, serial and the scan with a separator between them, for each way in which they may have run into one another,
    because no separator arrived."""


def without_prefix(text: str) -> tuple[str, str]:
    """The text without the AIM prefix that its scanner put before it, and what that says: `gs1`, `product` or empty."""
    match = _AIM.match(text)
    if not match:
        return text, ""
    says = match["code"] + match["modifier"]
    return text[match.end() :], "gs1" if says in _SAYS_GS1 else "product" if says in _SAYS_PRODUCT else ""


def is_gtin(text: str) -> bool:
    """Whether a text has the shape of a GTIN: 8, 12, 13 or 14 digits with a right check digit."""
    return text.isascii() and text.isdigit() and len(text) in {8, 12, 13, 14} and _has_check_digit(text)


def looks_like(text: str) -> bool:
    """Whether a text is a GS1 scan to anybody who sees it: by brackets, as an address, or by (01) and its GTIN."""
    return _LOOKS_LIKE_GS1.match(text) is not None or (begins_with_gtin(text) and len(text) > 16)


def read(text: str) -> Elements | None:
    """What the text of one scan says if it is GS1, None where it is not.

    Undeclared ones begin with (01) and a GTIN with a right check digit, or have a separator.
    """
    if len(text) > _LONGEST:
        return None
    body, says = without_prefix(text.strip())
    if _ADDRESS.match(body):
        return _of_addresses(body)
    if _BRACKETS.match(body):
        return _of_brackets(body)
    data = _with_fnc1(body)
    is_declared = says == "gs1"
    if not is_declared and not begins_with_gtin(data) and not _is_parted(body, data):
        return None
    repeats = _repeats(data, says)
    try:
        found = GS1Message.parse(data, config=_CONFIG).element_strings
    except ParseError:
        return Elements(is_declared=True, whole=data, repeats=repeats) if repeats else None
    said = _summed(found, data, is_declared=is_declared or FNC1 in data, is_parted=FNC1 in data)
    if said is None or said.repeats:
        return said
    return replace(said, repeats=repeats or _runs_on(data, said.serial, says))


def _with_fnc1(body: str) -> str:
    for each in SUBSTITUTES:
        if each in body or each.lower() in body:
            body = body.replace(each, FNC1).replace(each.lower(), FNC1)
    return body.strip(FNC1)


def _is_parted(body: str, data: str) -> bool:
    """Whether a separator that is nothing else stands in a text that begins with a lot, a serial or the like."""
    return FNC1 in data and not _PLAIN_SIGNS & set(body) and data[:2] in {"00", "02", "10", "11", "15", "17", "21"}


def begins_with_gtin(data: str) -> bool:
    """Whether a text begins as most GS1 scans do, with (01) and a GTIN whose check digit is right."""
    return data.startswith("01") and len(data) >= 16 and is_gtin(data[2:16])


def _has_check_digit(digits: str) -> bool:
    return gs1_standard_check_digit(digits[:-1]) == int(digits[-1])


def _repeats(data: str, says: str) -> tuple[str, ...]:
    """The scans in a text that begins again, with the same (01) GTIN or by a prefix with another; else none."""
    key, aim = data[:16], r"\][A-Za-z][0-9]"
    if not key.startswith("01") or len(key) < 16:
        return ()
    parts = re.split(rf"(?:{aim})?(?={re.escape(key)})|{aim}(?=01[0-9]{{14}})", data)
    parts = [part.strip(FNC1) for part in parts if part.strip(FNC1)]
    return tuple(_declared(part, says) for part in parts) if len(parts) > 1 else ()


def _declared(part: str, says: str) -> str:
    return f"]C1{part}" if says == "gs1" or not begins_with_gtin(part) else part


def _runs_on(data: str, serial: str, says: str) -> tuple[str, ...]:
    """The two scans in a text in whose serial another GTIN begins: its scanner sends nothing between them."""
    place = next((match.start() for match in _WITHIN.finditer(serial) if is_gtin(match["gtin"])), 0)
    if not place:
        return ()
    place += data.index(f"21{serial}") + 2
    return _declared(data[:place], says), _declared(data[place:], says)


def _of_brackets(body: str) -> Elements | None:
    """Brackets are what people see; only known identifiers between them begin an element."""
    pieces = _BRACKETS.split(body)
    found = _parsed(zip(pieces[1::2], map(str.strip, pieces[2::2]), strict=True))
    if found is None or not {"00", "01", "21"} & {element.ai.ai for element in found}:
        return None
    return _summed(found, body, is_declared=True, is_parted=True)


def _of_addresses(body: str) -> Elements | None:
    """What a Digital Link address says, of any domain, or several in one text; None for other addresses."""
    parts = re.split(f"(?={_ADDRESS.pattern})", body, flags=re.IGNORECASE)[1:]
    if len(parts) > 1 and all(map(_of_address, parts)):
        return Elements(is_declared=True, whole=body, repeats=tuple(parts))
    if "://" in body.partition("://")[2].partition("?")[0]:  # an address within another one's path
        return None
    return _summed(_of_address(body), body, is_declared=True, is_parted=True)


def _of_address(body: str) -> list[GS1ElementString]:
    """The elements of a Digital Link address; empty for other addresses."""
    try:
        address = urlsplit(body)
    except ValueError:
        return []
    steps = address.path.split("/")
    start = next((place for place, step in enumerate(steps[:-1]) if step in _GTIN_STEPS and steps[place + 1]), -1)
    if start < 0:
        return []
    names = {"gtin": "01", "lot": "10", "ser": "21", "exp": "17"}
    path = [unquote(step) for step in steps[start:]]
    pairs = [*zip(path[::2], path[1::2], strict=False), *parse_qsl(address.query)]
    known = [(names.get(name, name), value) for name, value in pairs]
    plain = [(name, value.zfill(14) if name == "01" else value) for name, value in known if name.isdigit() and value]
    return _parsed(plain) or []


def _parsed(pairs: Iterable[tuple[str, str]]) -> list[GS1ElementString] | None:
    """Each pair of identifier and value as an element; None where one of them is none."""
    try:
        return [_element(ai, value) for ai, value in pairs]
    except ParseError:
        return None


def _element(ai: str, value: str) -> GS1ElementString:
    found = GS1ElementString.parse(f"{ai}{value}", config=_CONFIG)
    if found.ai.ai != ai:
        raise ParseError(f"There is no identifier {ai}.")
    return found


def _summed(found: Sequence[GS1ElementString], whole: str, *, is_declared: bool, is_parted: bool) -> Elements | None:
    """What elements say of one good, or the scans that they are; None where there is none that Lotline knows.

    `is_parted`: their ends are known, so that none of them may be two.
    """
    values = {element.ai.ai: element for element in found}
    if not {"00", "01", "10", "21"} & values.keys():
        return None
    parts = _parts(found)
    if len(parts) > 1:
        return Elements(is_declared=True, whole=whole, repeats=tuple(map(_joined, parts)))
    said = {ai: element.value for ai, element in values.items()}
    expiry = values.get("17")
    return Elements(
        gtin=said.get("01", ""),
        serial=said.get("21", ""),
        lot=said.get("10", ""),
        expires_on=expiry.date if expiry else None,
        is_declared=is_declared,
        whole=whole.replace(FNC1, ""),
        unparted=() if is_parted or "21" in said else tuple(_unparted(found)),
    )


def _parts(found: Sequence[GS1ElementString]) -> list[list[tuple[str, str]]]:
    """Identifiers and values of each scan that some elements are: one of them says nothing twice.

    Where something is said again in other words, another scan begins, of which holds, too, what stood before the first
    of the two, such as the GTIN. A GTIN begins a scan, of which nothing holds that was said before.
    """
    parts: list[list[tuple[str, str]]] = [[]]
    for element in found:
        pair, own = (element.ai.ai, element.value), parts[-1]
        place = next((place for place, (ai, _value) in enumerate(own) if ai == pair[0]), None)
        if place is None:
            own.append(pair)
        elif pair[0] == "01":
            parts.append([pair])
        elif pair[0] in _SAID_ONCE and pair not in own:
            parts.append([*own[:place], pair])
    return parts


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    """A scan of these identifiers and values."""
    return "]C1" + FNC1.join(map("".join, pairs))


def _unparted(found: Sequence[GS1ElementString]) -> Iterator[tuple[str, str, str]]:
    """What the last element would be, had a separator stood before a 21 in it: see `Elements`."""
    *before, last = [(element.ai.ai, element.value) for element in found]
    if last[0] == "10":
        for lot, serial in _inner(last[1]):
            yield lot, serial, _joined([*before, ("10", lot), ("21", serial)])


def _inner(value: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer("(?=21)", value):
        lot, serial = value[: match.start()], value[match.start() + 2 :]
        if lot and serial:
            yield lot, serial
