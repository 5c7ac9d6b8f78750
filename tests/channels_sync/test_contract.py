"""Every adapter keeps the promises of its class: the one contract test of all of them."""

import ast
import json
from pathlib import Path

import pytest
from django import forms

import channels_sync
from channels_sync.contract import (
    METHODS,
    Adapter,
    Capability,
    Flow,
    Rejected,
    SalesChannelAdapter,
    Support,
    WmsAdapter,
)
from channels_sync.registry import adapter_class, all_adapters

READERS = {Flow.RECEIPTS: "read_receipt", Flow.SHIPMENTS: "read_shipment", Flow.UNIT_EVENTS: "read_unit_event"}
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
        read = getattr(adapter, READERS[sample.flow])
        document = read(json.loads(json.dumps(sample.raw)))
        assert document.external_id
        assert document.occurred_at.tzinfo
        with pytest.raises(Rejected):
            read({"nothing": "that anybody knows"})


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
