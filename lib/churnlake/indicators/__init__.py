"""Indicator declarations, one module a view of mission row A7; formulas are SQL over the sources named in usage/."""

from dataclasses import replace

from churnlake.core.contract import Indicator
from churnlake.indicators.basic import BASIC
from churnlake.indicators.calls import CALLS
from churnlake.indicators.care import CARE
from churnlake.indicators.fee import FEE
from churnlake.indicators.forwarding import FORWARDING
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
INDICATORS: tuple[Indicator, ...] = tuple(
    replace(indicator, view=view) for view, indicators in VIEWS.items() for indicator in indicators
)
DAILY: tuple[Indicator, ...] = tuple(i for i in INDICATORS if i.daily)
MONTHLY: tuple[Indicator, ...] = tuple(i for i in INDICATORS if i.monthly)
