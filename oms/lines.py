"""Text of several lines in forms."""

from django import forms


def plain_lines(text: str) -> str:
    """The text with one kind of line ends. A browser sends each as two characters, and counts one."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class LinesField(forms.CharField):
    """Text of several lines, as long as the browser says it is."""

    def to_python(self, value: object) -> str:
        """Before anything counts its characters."""
        return plain_lines(super().to_python(value) or "")
