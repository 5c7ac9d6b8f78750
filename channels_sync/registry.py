"""Finds the adapters: every module of `channels_sync/adapters/` defines one."""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from inspect import getmembers, isclass
from types import MappingProxyType

from django.utils.translation import gettext as _

from channels_sync import adapters
from channels_sync.contract import Adapter, Misconfigured
from oms.errors import Text


@cache
def all_adapters() -> Mapping[str, type[Adapter]]:
    """Kind → class, by kind."""
    found: dict[str, type[Adapter]] = {}
    for module_info in pkgutil.iter_modules(adapters.__path__, f"{adapters.__name__}."):
        module = import_module(module_info.name)
        for _name, cls in getmembers(module, isclass):
            if issubclass(cls, Adapter) and cls.__module__ == module.__name__ and cls.kind:
                found[cls.kind] = cls
    return MappingProxyType(dict(sorted(found.items())))


def adapter_class(kind: str) -> type[Adapter]:
    """The class of a kind. Raises Misconfigured for one that this installation has not."""
    try:
        return all_adapters()[kind]
    except KeyError as error:
        raise Misconfigured(_("This installation has no adapter “%(kind)s”.") % {"kind": kind}) from error


def config_labels() -> dict[str, Text]:
    """What the settings of all adapters are called, for the audit log."""
    forms = [cls.ConfigForm for cls in all_adapters().values()]
    return {name: field.label or name for form in forms for name, field in form.base_fields.items()}
