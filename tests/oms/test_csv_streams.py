"""Files of many rows: read row by row, in memory that does not grow with them."""

import io
import time
import tracemalloc
from collections import Counter

import pytest

from oms.csvio import Row
from tests.oms.test_csvio import SCHEMA, faults, read, values


def test_a_stream_gives_rows_and_faults_one_by_one_and_keeps_none():
    lines = b'A,"two\r\nlines",1\r\n,1,1\r\n' + "Ä,€,2\r\n".encode()

    def peak(times):
        file = io.BytesIO(b"SKU,Serial,Qty\r\n" + lines * times)
        tracemalloc.start()
        parsed, found = SCHEMA.stream(file)
        counts = Counter(type(each).__name__ for each in found)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (parsed.rows, parsed.errors, parsed.columns) == ([], [], ("SKU", "Serial", "Qty"))
        assert counts == {"Row": 2 * times, "list": times}
        return most

    few, many = peak(20_000), peak(60_000)
    assert many - few < 200_000


def test_a_stream_goes_on_behind_a_quote_that_is_never_closed():
    content = b"SKU,Serial,Qty\nA,1,1\n" + b'B,"open\nC,2,2\n' * 3 + b'D,"3",3'
    _parsed, found = SCHEMA.stream(io.BytesIO(content))
    assert [each.line if isinstance(each, Row) else [error.line for error in each] for each in found] == [
        2,
        [3],
        4,
        [5],
        6,
        [7],
        8,
        9,
    ]


def test_a_line_as_long_as_a_file_may_be_is_read_soon():
    begun = time.process_time()
    assert faults(read(b"SKU,Serial\n" + b"x" * (25 * 1024 * 1024 - 100))) == [(2, "")]
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_whole_wherever_a_piece_of_the_file_ends(monkeypatch, encoding, end):
    text = end.join(["SKU,Serial", *(f"Ä{n},€{n}" for n in range(30))])
    expected = values(read(text.encode(encoding)))
    assert len(expected) == 30
    for size in (*range(4, 16), 64):
        monkeypatch.setattr("oms.csvio.reading.CHUNK", size)
        assert values(read(text.encode(encoding))) == expected
