"""The cells of a list page in a browser."""

from playwright.sync_api import Locator, Page


def column(page: Page, label: str, rows: str = "tbody > tr[id^=row-]") -> Locator:
    """The cells of one column, from top to bottom; `rows` selects the rows."""
    labels = [cell.get_attribute("data-label") for cell in page.locator(".filter-row td").all()]
    return page.locator(f"{rows} > td:nth-child({labels.index(label) + 1})")
