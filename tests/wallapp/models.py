"""Crate (partitioned) ← Mark (partitioned, colocated, append-only); Tag (plain, a nullable key, changed later)."""

from typing import ClassVar

from django.db import models

from oms.models import Sku
from oms.tenancy import AccountKey, AccountModel


class Crate(AccountModel):
    """A partitioned row that points at a plain one."""

    sku = AccountKey(Sku, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=40)
    packed_on = models.DateField(null=True)

    class Meta(AccountModel.Meta):
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "code"], name="crate_code")]

    def __str__(self) -> str:
        return self.code


class Mark(AccountModel):
    """History of a crate: partition points at partition, nothing is changed."""

    crate = AccountKey(Crate, on_delete=models.PROTECT, related_name="marks")
    text = models.CharField(max_length=40)

    class Meta(AccountModel.Meta):
        indexes: ClassVar = [models.Index(fields=["account", "crate"], name="mark_by_crate")]

    def __str__(self) -> str:
        return self.text


class Tag(AccountModel):
    """A row without a parent at first; its key and its last column came by a later migration."""

    name = models.CharField(max_length=60)
    crates = models.ManyToManyField(Crate, through="TagOfCrate", related_name="tags")
    parent = AccountKey("self", on_delete=models.SET_NULL, null=True, related_name="children")

    class Meta(AccountModel.Meta):
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "name"], name="tag_name")]

    def __str__(self) -> str:
        return self.name


class TagOfCrate(AccountModel):
    """The rows between tags and crates."""

    tag = AccountKey(Tag, on_delete=models.CASCADE, related_name="+")
    crate = AccountKey(Crate, on_delete=models.CASCADE, related_name="+")

    class Meta(AccountModel.Meta):
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "tag", "crate"], name="tagofcrate_once")]

    def __str__(self) -> str:
        return f"{self.tag_id}-{self.crate_id}"
