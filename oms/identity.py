"""When two texts are the same, and which texts nobody could tell apart by looking. No database, no clock.

Keys are computed here and nowhere else: PostgreSQL's `upper` writes one letter for one letter ("ß" stays), and what it
calls printable depends on the locale of the server.
"""

import unicodedata
from bisect import bisect_right

from django.utils.translation import gettext as _

from oms.errors import DomainError

LONGEST = 100
"""The most characters of a key."""
APART = "~"
"""Between a key that another row has and the id of the row that came later."""

# Default_Ignorable_Code_Point of the Unicode Character Database, DerivedCoreProperties.txt: first and last of each run.
_IGNORABLE = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
_STARTS = [first for first, _last in _IGNORABLE]
_BLANK = frozenset("\u1680\u2800\U00016fe4\U0001d159")
"""Drawn as nothing or as a space, though they count as signs and letters."""
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BREAKS = frozenset("\t\n\r")
_SHAPING = frozenset("\u200c\u200d\ufe0e\ufe0f")
"""In words they change what is seen: joiners of Persian and Indic letters and of emoji, and how a sign is drawn."""
_CONTROLS = {
    "\0": "NULL",
    "\t": "TAB",
    "\n": "LINE BREAK",
    "\x0b": "VERTICAL TAB",
    "\x0c": "FORM FEED",
    "\r": "LINE BREAK",
    "\x1b": "ESCAPE",
    "\x1c": "FILE SEPARATOR",
    "\x1d": "GROUP SEPARATOR",
    "\x1e": "RECORD SEPARATOR",
    "\x1f": "UNIT SEPARATOR",
    "\x7f": "DELETE",
    "\x85": "NEXT LINE",
}
_LOST = "\ufffd"
_UNSEEN = frozenset(["Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"])
_NO_CHARACTERS = frozenset(["Cn", "Co", "Cs"])
_NAMELESS = {"Cc": "CONTROL", "Cn": "UNASSIGNED", "Co": "PRIVATE USE", "Cs": "HALF A CHARACTER"}


class BadText(DomainError):
    """This text cannot be told apart from another, or not be kept; the message says why and what to do."""


def key(text: str) -> str:
    """The form in which two texts are the same: Unicode NFKC and upper case until neither changes anything, trimmed.

    Inner spaces and dashes stay. The key of a key is the key.
    """
    if text.isascii():  # normal as it is
        return text.strip().upper()
    while (following := unicodedata.normalize("NFKC", text).upper().strip()) != text:
        text = following
    return text


def sought(text: str) -> str:
    """The key to look for what is there already, whatever it holds: older releases kept what is refused by now."""
    return key(storable(text))


def storable(text: str) -> str:
    """The text without what PostgreSQL holds in none: NULL and half characters."""
    return text.replace("\0", _LOST).encode("utf-8", "replace").decode()


def shown(text: str, most: int) -> str:
    """The beginning of a text, fit for a sentence."""
    return "".join(_LOST if is_hidden(letter) else letter for letter in text[:most])


def apart(own: str, pk: int) -> str:
    """The key of a row whose own key is another row's, or too long: with the id behind it, and never too long."""
    tail = f"{APART}{pk}"
    return own[: LONGEST - len(tail)] + tail


def is_hidden(letter: str) -> bool:
    """Nothing shows it: ignored, blank, a control, half of a character or none. Spaces are seen."""
    code = ord(letter)
    place = bisect_right(_STARTS, code) - 1
    if (place >= 0 and code <= _IGNORABLE[place][1]) or letter in _BLANK:
        return True
    return unicodedata.category(letter) in _UNSEEN


def refusal(text: str) -> str:
    """What to remove so that everybody who sees the text can type it, in a sentence; empty where nothing is to be.

    For what identifies: a serial, a lot, a code, a name that must be unique. Spaces around it are none of its own.
    """
    if text.isascii() and text.isprintable():
        return ""
    found = next(((place, letter) for place, letter in enumerate(text.strip(), 1) if is_hidden(letter)), None)
    return _words(*found) if found else ""


def refusal_of_words(text: str, *, may_break: bool = False) -> str:
    """The same for words that identify nothing: a person's name, a reason, a note, which may hold line breaks.

    Joiners and signs of shape may follow a letter or sign beyond ASCII, which they belong to.
    """
    if text.isascii() and text.isprintable():
        return ""
    previous = " "
    for place, letter in enumerate(text.strip(), 1):
        is_shape = letter in _SHAPING and not previous.isascii()
        if is_hidden(letter) and not is_shape and not (may_break and letter in _BREAKS):
            return _words(place, letter)
        previous = letter
    return ""


def check(text: str, *, most: int) -> str:
    """The key. Raises BadText for an empty text, one that is too long as typed or as a key, or one with a refusal."""
    own = key(text)
    if not own:
        raise BadText(_("It cannot be empty."))
    if (count := max(len(text), len(own))) > most:
        raise BadText(_("%(most)s characters at most; this text has %(count)s.") % {"most": most, "count": count})
    if words := refusal(text):
        raise BadText(words)
    return own


def check_words(text: str, *, may_break: bool = False) -> None:
    """Raise BadText for words with a refusal."""
    if words := refusal_of_words(text, may_break=may_break):
        raise BadText(words)


def _words(place: int, letter: str) -> str:
    category = unicodedata.category(letter)
    if letter in _BIDI:
        why = _("it turns the direction of the text")
    elif category in _NO_CHARACTERS:
        why = _("it is no character that can be kept")
    else:
        why = _("it cannot be seen")
    name = unicodedata.name(letter, _CONTROLS.get(letter, _NAMELESS.get(category, "")))
    words = _("Remove U+%(code)s (%(name)s), character %(place)s of this text: %(why)s.")
    return words % {"code": f"{ord(letter):04X}", "name": name, "place": place, "why": why}
