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
    """Other keys that look like this one, at most so many: all of them, where they are few, else the closest.

    The closest are those that write one group otherwise all through (O for every 0), or one character; then two; and
    so on.
    """
    found: dict[str, None] = {}
    ring = [key]
    while ring:
        following = []
        for text in _neighbours(ring, key):
            if text != key and text not in found:
                if len(found) == most:
                    return list(found)
                found[text] = None
                following.append(text)
        ring = following
    return list(found)


def _neighbours(keys: Iterable[str], origin: str) -> Iterator[str]:
    """Each key with one more change: a group written otherwise all through, or a character that is as in `origin`."""
    for key in keys:
        for group in GROUPS:
            if any(symbol in key for symbol in group):
                yield from (key.translate(dict.fromkeys(map(ord, group), other)) for other in group)
        for place, symbol in enumerate(key):
            if symbol == origin[place]:
                for other in _LIKE.get(symbol, ""):
                    if other != symbol:
                        yield key[:place] + other + key[place + 1 :]
