"""Text of several lines in forms."""

from typing import Any

from django import forms

from oms.models.keys import validate_lines


def plain_lines(text: str) -> str:
    """The text with one kind of line ends. A browser sends each as two characters, and counts one."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class LinesField(forms.CharField):
    """Text of several lines, as long as the browser says it is, without what nobody sees."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(validate_lines)

    def to_python(self, value: object) -> str:
        """Before anything counts its characters."""
        return plain_lines(super().to_python(value) or "")
