"""Every adapter keeps the promises of its class: the one contract test of all of them."""

import ast
import json
import re
from pathlib import Path

import pytest
from django import forms

import channels_sync
from channels_sync.contract import (
    METHODS,
    Adapter,
    Capability,
    Flow,
    LotPart,
    Rejected,
    RemoteLine,
    RemoteReceipt,
    RemoteUnit,
    SalesChannelAdapter,
    Support,
    WmsAdapter,
)
from channels_sync.registry import adapter_class, all_adapters

ALLOWED = {"channels_sync.contract", "channels_sync.http"}
FOLDER = Path(channels_sync.__file__).parent
every_adapter = pytest.mark.parametrize("adapter", all_adapters().values(), ids=lambda cls: cls.kind)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_they_are_found():
    files = {path.stem for path in (FOLDER / "adapters").glob("*.py")} - {"__init__"}
    assert {cls.__module__.rpartition(".")[2] for cls in all_adapters().values()} == files


@every_adapter
def test_a_promise_has_its_methods(adapter):
    base = WmsAdapter if issubclass(adapter, WmsAdapter) else SalesChannelAdapter
    for flow in adapter.flows:
        for name in METHODS[flow]:
            assert getattr(adapter, name) is not getattr(base, name, None), f"{flow} needs {name}"
    assert adapter.check is not Adapter.check


@every_adapter
def test_what_it_cannot_do_has_a_reason(adapter):
    for capability in adapter.options:
        assert bool(adapter.reason(capability)) == (adapter.support(capability) == Support.NONE), capability
    assert set(adapter.capabilities) <= set(adapter.options)
    assert adapter.label
    assert adapter.limits


@every_adapter
def test_a_stream_has_a_recorded_payload_that_it_reads(adapter):
    assert {sample.flow for sample in adapter.samples} == set(adapter.streams())
    for sample in adapter.samples:
        document = adapter.read(sample.flow, json.loads(json.dumps(sample.raw)))
        assert document.external_id
        assert document.occurred_at.tzinfo


def places(value, path=()):
    """The path to every value in a JSON document, and the value."""
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from places(child, (*path, key))


def changed(raw, path, value):
    """The document with another value at one place."""
    copy = json.loads(json.dumps(raw))
    if not path:
        return value
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


HOSTILE = (None, True, 12, 2.5, "2.0", "nonsense", "2027-01-31T00:00:00Z", [], {}, [None], {"a": 1})
PYTHON = re.compile(r"Error|object|None|True|attribute|\bint\b|\bstr\b|literal|isoformat|Traceback|<class|unhashable|'")


@every_adapter
def test_whatever_stands_anywhere_is_read_or_refused_in_words(adapter):
    refusals = []
    for sample in adapter.samples:
        for path, _value in places(sample.raw):
            for value in HOSTILE:
                try:
                    adapter.read(sample.flow, changed(sample.raw, path, value))
                except Rejected as refusal:
                    refusals.append(str(refusal))
    assert refusals
    assert {words for words in refusals if PYTHON.search(words) or not words.endswith(".")} == set()


@every_adapter
def test_what_is_missing_is_named(adapter):
    for sample in adapter.samples:
        with pytest.raises(Rejected, match="is missing in what"):
            adapter.read(sample.flow, {"nothing": "that anybody knows"})


def receipt_of(**values):
    """A receipt of one line with one unit and one lot, with some values as a vendor may send them."""
    lot = LotPart("L1", values.get("lot_quantity", 1), values.get("expires_on", "2027-01-31"))
    unit = RemoteUnit(values.get("serial", "0012"))
    line = RemoteLine("A", values.get("quantity", 1), values.get("position", 1), (unit,), (lot,))
    when = values.get("occurred_at", "2026-11-30T15:00Z")
    return RemoteReceipt("RC-1", values.get("reference", "R-1"), when, (line,))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"serial": 12}, "A serial came as a number (12): its leading zeros may be lost."),
        ({"serial": 8939010102358478435}, "A serial came as a number (8939010102358478435): its leading zeros may be"),
        ({"serial": None}, "A serial is missing."),
        ({"serial": ["S1"]}, 'A serial came as “["S1"]”, which is no text.'),
        ({"quantity": "2.0"}, "The quantity “2.0” is not a whole number of pieces."),
        ({"quantity": 2.5}, "The quantity “2.5” is not a whole number of pieces."),
        ({"quantity": True}, "The quantity “true” is not a whole number of pieces."),
        ({"lot_quantity": "1_000"}, "The quantity “1_000” is not a whole number of pieces."),
        ({"expires_on": "2027-01-31T00:00:00Z"}, "“2027-01-31T00:00:00Z” is not a date"),
        ({"expires_on": "2027-02-30"}, "“2027-02-30” is not a date"),
        ({"expires_on": "20270131"}, "“20270131” is not a date"),
        ({"position": "1.0"}, "The line number “1.0” is not a whole number."),
        ({"reference": 1105}, "A reference came as a number (1105): its leading zeros may be lost."),
        ({"occurred_at": "2026-11-30T15:00"}, "“2026-11-30T15:00” is not a moment with its time zone"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused_once_for_every_adapter(values, words):
    with pytest.raises(Rejected, match=re.escape(words)):
        receipt_of(**values)


def test_what_is_sure_is_taken_as_it_is_meant():
    (line,) = receipt_of(quantity="2", lot_quantity=2.0, position="10", expires_on="").lines
    assert (line.quantity, line.position, line.units[0].serial) == (2, 10, "0012")
    assert (line.lots[0].quantity, line.lots[0].expires_on) == (2, None)
    assert receipt_of().occurred_at.tzinfo


@every_adapter
def test_lots_and_serials_that_it_promises_are_read(adapter):
    for sample in adapter.samples:
        if sample.flow == Flow.RECEIPTS:
            lines = adapter.read_receipt(sample.raw).lines
            assert any(line.lots for line in lines) == (adapter.support(Capability.RECEIPT_LOTS_IN) != Support.NONE)
            assert any(line.units for line in lines) == (adapter.support(Capability.RECEIPT_SERIALS_IN) != Support.NONE)


@every_adapter
def test_secrets_are_typed_unseen(adapter):
    fields = adapter.ConfigForm.base_fields
    assert adapter.ConfigForm.secret_fields <= set(fields)
    for name in adapter.ConfigForm.secret_fields:
        assert isinstance(fields[name].widget, forms.PasswordInput)
        assert not fields[name].widget.render_value
    assert adapter.ConfigForm.identity_fields <= set(fields) - adapter.ConfigForm.secret_fields


def test_adapters_see_the_contract_and_the_client_only():
    for path in (FOLDER / "adapters").glob("*.py"):
        ours = {name for name in imports(path) if name.split(".")[0] in {"oms", "serials", "replenishment"}}
        theirs = {name for name in imports(path) if name.startswith("channels_sync")} - ALLOWED
        assert ours | theirs == set(), path
        assert "django.db" not in set(imports(path)), path


def test_the_sandbox_knows_nothing_of_lotline():
    for path in (FOLDER / "sandbox").glob("*.py"):
        found = {name for name in imports(path) if name.split(".")[0] in {"oms", "django", "serials", "replenishment"}}
        assert found == set(), path
        assert all(name.startswith("channels_sync.sandbox") for name in imports(path) if "channels_sync" in name)


def test_an_unknown_kind_is_a_matter_of_settings():
    with pytest.raises(channels_sync.contract.Misconfigured):
        adapter_class("nothing")
