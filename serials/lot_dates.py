"""Days on which lots expire: which are hardly meant, and in words why. No database, no clock."""

from datetime import date

from django.utils.translation import gettext as _

FIRST_YEAR = 2000
MOST_YEARS_AHEAD = 50


def is_unlikely(day: date, today: date) -> bool:
    """Whether an expiry is hardly meant: before the year 2000, or more than 50 years ahead."""
    return day.year < FIRST_YEAR or (day.year - MOST_YEARS_AHEAD, day.month, day.day) > (
        today.year,
        today.month,
        today.day,
    )


def doubt(lot: str, day: date | None, today: date) -> str:
    """A sentence about an expiry that is hardly meant; empty for every other, and for none."""
    if day is None or not is_unlikely(day, today):
        return ""
    words = {"lot": lot, "day": day, "year": FIRST_YEAR, "years": MOST_YEARS_AHEAD}
    if day.year < FIRST_YEAR:
        return _("Lot %(lot)s: the expiry %(day)s is before the year %(year)s.") % words
    return _("Lot %(lot)s: the expiry %(day)s is more than %(years)s years ahead.") % words
