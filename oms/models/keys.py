"""Columns that identify a row by a text that people type, and what every text must be."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from oms import identity


def validate_words(value: str) -> None:
    """Refuse what nobody sees in a text of one line that identifies nothing, such as a person's name."""
    _refuse(identity.refusal_of_words(value))


def validate_lines(value: str) -> None:
    """The same for a note or a reason, which may have several lines."""
    _refuse(identity.refusal_of_words(value, may_break=True))


def validate_identity(value: str) -> None:
    """Refuse what nobody could type again from what they see, and what is too long for a key."""
    if value.strip():
        try:
            identity.check(value, most=identity.LONGEST)
        except identity.BadText as error:
            _refuse(str(error))


def _refuse(words: str) -> None:
    if words:
        raise ValidationError(words, code="printable")


class KeyField(models.CharField):  # type: ignore[type-arg]  # generic in stubs only
    """The key of the text in the field `of`, kept by every save that writes it: two spellings of one text are one row.

    A row whose key an older one had when keys were made keeps its own beside it (`identity.apart`).
    """

    def __init__(self, *args: Any, of: str = "", **kwargs: Any) -> None:
        self.of = of
        super().__init__(*args, **{**kwargs, "max_length": identity.LONGEST, "editable": False})

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """What a migration writes: nothing that is the same for every key."""
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_length"], kwargs["editable"]
        return name, path, args, {**kwargs, "of": self.of}

    def key_of(self, instance: models.Model) -> str:
        """The key of this row as its text is now."""
        own, held = identity.key(getattr(instance, self.of)), getattr(instance, self.attname)
        return held if held == identity.apart(own, instance.pk) else own

    def clean(self, value: Any, model_instance: models.Model | None) -> str:
        """For the check of uniqueness in a form; the text's own validators say what is wrong with it."""
        return self.key_of(model_instance) if model_instance else value

    def pre_save(self, model_instance: models.Model, add: bool) -> str:  # noqa: FBT001  # Django's own
        """The key, before it is written."""
        found = self.key_of(model_instance)
        setattr(model_instance, self.attname, found)
        return found
