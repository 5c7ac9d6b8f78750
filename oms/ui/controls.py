"""Columns that hold controls instead of values: what selects, opens or acts on a row."""

from collections.abc import Callable
from typing import Any

import django_tables2 as tables
from django.utils.html import escape
from django.utils.translation import gettext as _

from oms.ui.columns import Frame, url_pattern, value_getter
from oms.ui.icons import icon


class CheckColumn(tables.Column):
    """The checkbox that selects a row; the header's selects the page."""

    kind = "check"

    def __init__(self, *args: Any, named_by: str, **kwargs: Any) -> None:
        super().__init__(*args, orderable=False, accessor="pk", verbose_name="", **kwargs)
        self.named_by = value_getter(named_by)

    def compile(self, name: str, label: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<td>`."""
        said = _("Select %(what)s")
        named_by = self.named_by

        def cell(record: Any) -> str:
            words = escape(said % {"what": named_by(record)})
            return (
                '<td class="check sticky"><div class="cell"><input type="checkbox" name="pk" form="bulk" '
                f'id="pk-{record.pk}" value="{record.pk}" aria-label="{words}"></div></td>'
            )

        return cell


class ExpandColumn(tables.Column):
    """The plus (+) that opens the row's child row. Without a script it leads to the record's page.

    Args:
        page: the account URL of the record's page.
        child: the account URL that answers the inside of the child row.
        said: the words for a screen reader, with %(what)s.
        named_by: the path of what the record is called.
    """

    kind = "check"

    def __init__(self, *args: Any, page: str, child: str, said: Any, named_by: str, **kwargs: Any) -> None:
        super().__init__(*args, orderable=False, accessor="pk", verbose_name="", **kwargs)
        self.page, self.child, self.said, self.named_by = page, child, said, value_getter(named_by)

    def compile(self, name: str, label: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<td>`."""
        (page, page_end), (child, child_end) = (url_pattern(url, frame.account_slug) for url in (self.page, self.child))
        pictures = icon("plus", "when-closed") + icon("minus", "when-open")
        said, named_by = str(self.said), self.named_by

        def cell(record: Any) -> str:
            pk, words = record.pk, escape(said % {"what": named_by(record)})
            return (
                f'<td class="check sticky"><div class="cell"><a class="expander" href="{page}{pk}{page_end}" '
                f'data-expand="{child}{pk}{child_end}" aria-label="{words}">{pictures}</a></div></td>'
            )

        return cell


class CheckExpandColumn(ExpandColumn):
    """The checkbox and, after it, the plus (+): the first column of a grid whose rows open."""

    def compile(self, name: str, label: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<td>`."""
        expander = super().compile(name, label, frame)
        said, named_by = _("Select %(what)s"), self.named_by

        def cell(record: Any) -> str:
            words = escape(said % {"what": named_by(record)})
            box = (
                f'<input type="checkbox" name="pk" form="bulk" id="pk-{record.pk}" value="{record.pk}" '
                f'aria-label="{words}">'
            )
            return expander(record).replace('<div class="cell">', f'<div class="cell">{box}', 1)

        return cell


class RowMenuColumn(tables.Column):
    """The vertical ellipsis (⋮): one menu for all rows, which stands once on the page as <template id="row-menu">.

    Its links hold `{pk}`. Without a script the ellipsis leads to the record's page, which offers the same.
    """

    kind = "actions"

    def __init__(self, *args: Any, page: str, said: Any, named_by: str, **kwargs: Any) -> None:
        super().__init__(*args, orderable=False, accessor="pk", verbose_name="", **kwargs)
        self.page, self.said, self.named_by = page, said, value_getter(named_by)

    def compile(self, name: str, label: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<td>`."""
        before, after = url_pattern(self.page, frame.account_slug)
        picture, said, named_by = icon("ellipsis-vertical"), str(self.said), self.named_by

        def cell(record: Any) -> str:
            words = escape(said % {"what": named_by(record)})
            return (
                f'<td class="actions"><a class="cell-btn" href="{before}{record.pk}{after}" '
                f'data-row-menu="{record.pk}" aria-label="{words}">{picture}</a></td>'
            )

        return cell


class RowLinkColumn(tables.Column):
    """One action at the end of a row, as an icon with its words for a screen reader."""

    kind = "actions"

    def __init__(self, *args: Any, route: str, icon_name: str, said: Any, named_by: str, **kwargs: Any) -> None:
        super().__init__(*args, orderable=False, accessor="pk", verbose_name="", **kwargs)
        self.route, self.icon_name, self.said, self.named_by = route, icon_name, said, value_getter(named_by)

    def compile(self, name: str, label: str, frame: Frame) -> Callable[[Any], str]:
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
