"""What a GS1 symbol says, as scanners send it: element strings, text in brackets, Digital Link addresses. No database.

Sources: GS1 General Specifications, sections 3 (application identifiers), 5.4 and 7.8 (FNC1, symbology identifiers),
7.9 (check digits), 7.11 (character set 82); GS1 Digital Link Standard: URI Syntax; ISO/IEC 15424 (AIM identifiers).
Application identifiers are those of the library biip.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import parse_qsl, unquote, urlsplit

from biip import ParseConfig, ParseError
from biip.checksums import gs1_standard_check_digit
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message
from biip.gs1_prefixes import _GS1_COMPANY_PREFIX_TRIE

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
_LONGEST = 1_000
# Dates of zeros stand in real symbols; they are no reason to read nothing of it.
_CONFIG = ParseConfig(gs1_element_strings_verify_date=False)


def _forget_companies() -> None:
    """Which company a prefix belongs to is nothing that Lotline asks, and it fills 12 MB of each process."""
    if isinstance(_GS1_COMPANY_PREFIX_TRIE, dict):  # so it is; its type says that a part of it need not be
        _GS1_COMPANY_PREFIX_TRIE.clear()


_forget_companies()


@dataclass(frozen=True, slots=True)
class Elements:
    """What a symbol says of one good: empty where it says nothing about it.

    `is_declared`: it says of itself that it is GS1, by its AIM prefix, by brackets, separators or as an address.
    `whole` is all of it without separators. `repeats` are the parts, where it is several scans in one text.
    """

    gtin: str = ""
    serial: str = ""
    lot: str = ""
    expires_on: date | None = None
    sscc: str = ""
    is_declared: bool = False
    whole: str = ""
    repeats: tuple[str, ...] = ()
    unparted: tuple[str, str] = ("", "")
    """A lot and a serial that run into one another, because the separator between them did not arrive."""


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


def read(text: str, *, separators: Sequence[str] = SUBSTITUTES) -> Elements | None:
    """What the text of one scan says if it is GS1, None where it is not.

    Undeclared ones begin with (01) and a GTIN with a right check digit, or have a separator.
    """
    if len(text) > _LONGEST:
        return None
    body, says = without_prefix(text.strip())
    if _ADDRESS.match(body):
        return _summed(_of_address(body), body, is_declared=True)
    if _BRACKETS.match(body):
        return _of_brackets(body)
    data = _with_fnc1(body, separators)
    is_declared = says == "gs1"
    if not is_declared and not begins_with_gtin(data) and not _is_parted(body, data):
        return None
    if repeats := _repeats(data, says):
        return Elements(is_declared=True, whole=data, repeats=repeats)
    try:
        found = GS1Message.parse(data, config=_CONFIG).element_strings
    except ParseError:
        return None
    return _summed(found, data, is_declared=is_declared or FNC1 in data)


def _with_fnc1(body: str, separators: Sequence[str]) -> str:
    for each in separators:
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
    """The scans in a text that begins again with the same (01) GTIN, or another (21) after a separator; else none."""
    key = data[:16]
    prefix = "]C1" if says == "gs1" else ""
    if not key.startswith("01") or len(key) < 16:
        return ()
    parts = re.split(rf"(?:\][A-Za-z][0-9])?{re.escape(key)}", data)[1:]
    if len(parts) < 2:
        return ()
    return tuple(f"{prefix}{key}{part.strip(FNC1)}" for part in parts)


def _of_brackets(body: str) -> Elements | None:
    """Brackets are what people see; only known identifiers between them begin an element."""
    pieces = _BRACKETS.split(body)
    found = _parsed(zip(pieces[1::2], map(str.strip, pieces[2::2]), strict=True))
    if found is None or not {"01", "21"} & {element.ai.ai for element in found}:
        return None
    identifiers = [element.ai.ai for element in found]
    if identifiers.count("21") > 1:
        start = identifiers[0]
        places = [match.start() for match in _BRACKETS.finditer(body) if match[1] == start]
        parts = [body[here:there].strip() for here, there in zip(places, [*places[1:], len(body)], strict=True)]
        return Elements(is_declared=True, whole=body, repeats=tuple(parts) if len(parts) > 1 else ())
    return _summed(found, body, is_declared=True)


def _of_address(body: str) -> list[GS1ElementString]:
    """The elements of a Digital Link address of any domain; empty for other addresses."""
    try:
        address = urlsplit(body)
    except ValueError:
        return []
    steps = address.path.split("/")
    start = next((place for place, step in enumerate(steps[:-1]) if step in {"01", "gtin"} and steps[place + 1]), -1)
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


def _summed(found: Sequence[GS1ElementString], whole: str, *, is_declared: bool) -> Elements | None:
    """The first value of each identifier that Lotline knows; None where there is none of them."""
    values: dict[str, GS1ElementString] = {}
    for element in found:
        values.setdefault(element.ai.ai, element)
    said = {ai: element.value for ai, element in values.items()}
    expiry = values.get("17")
    if not {"00", "01", "10", "21"} & said.keys():
        return None
    return Elements(
        gtin=said.get("01", ""),
        serial=said.get("21", ""),
        lot=said.get("10", ""),
        expires_on=expiry.date if expiry else None,
        sscc=said.get("00", ""),
        is_declared=is_declared,
        whole=whole.replace(FNC1, ""),
        unparted=_unparted(found) if "21" not in said else ("", ""),
    )


def _unparted(found: Sequence[GS1ElementString]) -> tuple[str, str]:
    """The lot and the serial that the last element would be, had a separator stood before the one 21 in it."""
    if not found or found[-1].ai.ai != "10":
        return "", ""
    places = list(_inner(found[-1].value))
    return places[0] if len(places) == 1 else ("", "")


def _inner(value: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer("(?=21)", value):
        lot, serial = value[: match.start()], value[match.start() + 2 :]
        if lot and serial:
            yield lot, serial
