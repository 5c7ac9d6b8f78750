"""Columns that hold controls instead of values: what selects, opens or acts on a row."""

from collections.abc import Callable
from typing import Any

import django_tables2 as tables
from django.utils.translation import gettext as _

from oms.ui.columns import Frame, escape, url_pattern, value_getter
from oms.ui.icons import icon


class CheckColumn(tables.Column):
    """The checkbox that selects a row; the header's selects the page. `named_by`: the path of a record's name."""

    kind = "check"

    def __init__(self, *args: Any, named_by: str, **kwargs: Any) -> None:
        super().__init__(*args, orderable=False, accessor="pk", verbose_name="", **kwargs)
        self.named_by = value_getter(named_by)

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<td>`."""
        box = self.box()
        return lambda record: f'<td class="check">{box(record)}</td>'

    def box(self) -> Callable[[Any], str]:
        """One function from a record to its checkbox."""
        said, named_by = _("Select %(what)s"), self.named_by

        def html(record: Any) -> str:
            words = escape(said % {"what": named_by(record)})
            return f'<input type="checkbox" name="pk" form="bulk" value="{record.pk}" aria-label="{words}">'

        return html


class CheckExpandColumn(CheckColumn):
    """The checkbox and, after it, the plus (+) that opens the row's child row: the first column of a grid.

    Args:
        child: the account URL that answers the inside of the child row.
        said: the words for a screen reader, with %(what)s.
        named_by: the path of what the record is called.
    """

    def __init__(self, *args: Any, child: str, said: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.child, self.said = child, said

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<td>`."""
        box, said, named_by = self.box(), str(self.said), self.named_by

        def cell(record: Any) -> str:
            words = escape(said % {"what": named_by(record)})
            return f'<td class="check">{box(record)}<button class="expander" aria-label="{words}"></button></td>'

        return cell


class RowMenuColumn(tables.Column):
    """The vertical ellipsis (⋮): one menu for all rows, which stands once on the page as <template id="row-menu">.

    Its links hold `{pk}`. The record's page offers the same without a script.
    """

    kind = "actions"

    def __init__(self, *args: Any, said: Any, named_by: str, **kwargs: Any) -> None:
        super().__init__(*args, orderable=False, accessor="pk", verbose_name="", **kwargs)
        self.said, self.named_by = said, value_getter(named_by)

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<td>`."""
        said, named_by = str(self.said), self.named_by

        def cell(record: Any) -> str:
            words = escape(said % {"what": named_by(record)})
            return f'<td class="actions"><button class="cell-btn i-menu" aria-label="{words}"></button></td>'

        return cell


class RowLinkColumn(tables.Column):
    """One action at the end of a row, as an icon with its words for a screen reader."""

    kind = "actions"

    def __init__(self, *args: Any, route: str, icon_name: str, said: Any, named_by: str, **kwargs: Any) -> None:
        super().__init__(*args, orderable=False, accessor="pk", verbose_name="", **kwargs)
        self.route, self.icon_name, self.said, self.named_by = route, icon_name, said, value_getter(named_by)

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<td>`."""
        before, after = url_pattern(self.route, frame.account_slug)
        picture, said, named_by = icon(self.icon_name), str(self.said), self.named_by

        def cell(record: Any) -> str:
            words = escape(said % {"what": named_by(record)})
            return (
                f'<td class="actions"><a class="cell-btn" href="{before}{record.pk}{after}" '
                f'title="{words}" aria-label="{words}">{picture}</a></td>'
            )

        return cell
