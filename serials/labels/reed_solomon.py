"""Reed-Solomon error correction over GF(256), with the check symbols of a block as one big integer."""

from functools import lru_cache


@lru_cache(maxsize=2)
def _logarithms(field: int) -> tuple[list[int], list[int]]:
    """Powers of the field's generator, twice over, and their inverse."""
    powers, logs, value = [0] * 510, [0] * 256, 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logs[value] = exponent
        value <<= 1
        if value & 0x100:
            value ^= field
    return powers, logs


@lru_cache(maxsize=64)
def _steps(field: int, first: int, count: int) -> tuple[int, ...]:
    """For each byte, the generator polynomial without its leading term, times that byte."""
    powers, logs = _logarithms(field)
    generator = [1]
    for exponent in range(first, first + count):
        root = powers[exponent]
        longer = [*generator, 0]
        for place, value in enumerate(generator):
            longer[place + 1] ^= powers[logs[value] + logs[root]] if value else 0
        generator = longer
    return tuple(
        int.from_bytes(bytes(powers[logs[value] + logs[byte]] if value and byte else 0 for value in generator[1:]))
        for byte in range(256)
    )


def check_words(data: bytes, count: int, *, field: int, first: int) -> bytes:
    """The `count` check words of a block; `first` is the exponent of the generator polynomial's first root."""
    steps, top, mask, state = _steps(field, first, count), 8 * (count - 1), (1 << 8 * count) - 1, 0
    for word in data:
        state = (state << 8) & mask ^ steps[word ^ state >> top]
    return state.to_bytes(count)
