"""Indicator declarations, one module a view of mission row A7; formulas are SQL over the sources named in ``sources``."""

from dataclasses import replace

from churnlake.core.contract import Indicator
from churnlake.indicators.basic import BASIC
from churnlake.indicators.calls import CALLS, MOMENTS
from churnlake.indicators.care import CARE
from churnlake.indicators.fee import FEE
from churnlake.indicators.forwarding import FORWARDING
from churnlake.indicators.hours import HOURS
from churnlake.indicators.items import ITEMS
from churnlake.indicators.peers import PEERS
from churnlake.indicators.recharge import RECHARGE
from churnlake.indicators.roaming import ROAMING
from churnlake.indicators.services import SERVICES
from churnlake.indicators.time import TIME

VIEWS: dict[str, tuple[Indicator, ...]] = {
    "basic": BASIC,
    "fee structure": FEE,
    "calls": CALLS,
    "time of day": TIME,
    "roaming and long distance": ROAMING,
    "new services": SERVICES,
    "call peers": PEERS,
    "forwarding": FORWARDING,
    "recharge": RECHARGE,
    "service contacts": CARE,
}


def _of_views(views: dict[str, tuple[Indicator, ...]]) -> tuple[Indicator, ...]:
    return tuple(replace(indicator, view=view) for view, indicators in views.items() for indicator in indicators)


INDICATORS: tuple[Indicator, ...] = _of_views(VIEWS)
"""Those of the ten views, the columns of features.monthly."""
ALL_ITEMS: tuple[Indicator, ...] = _of_views({f"items: {kind}": items for kind, items in ITEMS.items()})
"""Those beyond the ten views, the columns of features.items."""
DAILY: tuple[Indicator, ...] = (*(i for i in INDICATORS if i.daily), *MOMENTS, *HOURS)
"""What is added up a day; of the moments and hours, the months keep only what is worked out of them."""
