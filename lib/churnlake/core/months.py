"""Months, by their first day."""

from __future__ import annotations

import datetime as dt


def month_after(month: dt.date) -> dt.date:
    """First day of the month that follows that of the day."""
    return (month.replace(day=1) + dt.timedelta(days=32)).replace(day=1)


def month_before(month: dt.date) -> dt.date:
    """First day of the month before that of the day."""
    return (month.replace(day=1) - dt.timedelta(days=1)).replace(day=1)


def last_day(month: dt.date) -> dt.date:
    """Last day of the month of the day."""
    return month_after(month) - dt.timedelta(days=1)
