"""Characters that people and worn labels confuse. No database, no clock."""

from collections.abc import Iterable, Iterator

GROUPS = ("0OQ", "1IL", "2Z", "5S", "6G", "8B", "UV")
"""Characters that look alike; the first of each stands for all of them."""

_LIKE = {symbol: group for group in GROUPS for symbol in group}
_FOLD = str.maketrans({symbol: group[0] for group in GROUPS for symbol in group})


def folded(key: str) -> str:
    """The text with every look-alike as the first of its group: two keys that look alike are the same then."""
    return key.translate(_FOLD)


def variants(key: str, most: int) -> list[str]:
    """Other keys that look like this one, at most so many.

    First the one with the first of every group, which is how a number of digits looks that somebody typed with
    letters, then those that differ in one character, then in two, and so on: all of them, where there are few.
    """
    found = dict.fromkeys([folded(key)])
    found.pop(key, None)
    ring: Iterable[str] = [key]
    while len(found) < most:
        ring = [text for text in dict.fromkeys(_neighbours(ring, key)) if text != key]
        before = len(found)
        for text in ring[:most]:
            found.setdefault(text)
        if len(found) == before:
            break
    return list(found)[:most]


def _neighbours(keys: Iterable[str], origin: str) -> Iterator[str]:
    """Each key with one more character changed, of those that are still as they were in `origin`."""
    for key in keys:
        for place, symbol in enumerate(key):
            if symbol == origin[place]:
                for other in _LIKE.get(symbol, ""):
                    if other != symbol:
                        yield key[:place] + other + key[place + 1 :]
