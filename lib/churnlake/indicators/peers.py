"""Call peers: the circle, the networks it is on, and where the user moves."""

from churnlake.core.contract import Indicator
from churnlake.indicators.formulas import entropy, known_before, pareto, share, top, total
from churnlake.indicators.units import (
    AREAS,
    CALLS,
    CELLS,
    CODE,
    KM,
    MEAN_CONTACTS,
    MEAN_DAYS,
    MESSAGES,
    MONTH_DAYS,
    NATS,
    RATIO,
    SECONDS,
    SHARE,
)
from churnlake.indicators.units import PEERS as COUNTED

NETWORKS = {
    "own": ("our own", "'own'"),
    "unicom_gsm": ("Unicom GSM", "'unicom_gsm'"),
    "unicom_cdma": ("Unicom CDMA", "'unicom_cdma'"),
    "fixed": ("fixed", "'fixed'"),
    "phs": ("PHS", "'phs'"),
}
COMPETITOR = "peer_network in ('unicom_gsm', 'unicom_cdma')"
MET = "contacts > 0"
EARTH_KM = 6371
"""Mean radius, as bandicoot and cider take it."""


def distance(one: str, other: str) -> str:
    """Great-circle distance in kilometres (haversine) between two structs of latitude and longitude in degrees, both known.

    Of one that is null it would be half the way round: least of 1 and null is 1.
    """
    half = "pow(sin(radians({0}.{2} - {1}.{2}) / 2), 2)"
    inner = f"{half.format(one, other, 'latitude')} + cos(radians({one}.latitude)) * cos(radians({other}.latitude)) * {half.format(one, other, 'longitude')}"
    return f"(2 * {EARTH_KM}D * asin(sqrt(least(1D, {inner}))))"


CENTRE = (
    "named_struct('latitude', sum(if(latitude is null, null, calls) * latitude) / nullif(sum(if(latitude is null, null, calls)), 0), "
    "'longitude', sum(if(latitude is null, null, calls) * longitude) / nullif(sum(if(latitude is null, null, calls)), 0))"
)
SEEN = "collect_list(if(latitude is null, null, named_struct('latitude', latitude, 'longitude', longitude, 'calls', calls)))"
GYRATION = (
    f"sqrt(aggregate({SEEN}, named_struct('squares', 0D, 'centre', {CENTRE}), (a, x) -> named_struct('squares', "
    f"a.squares + x.calls * pow({distance('x', 'a.centre')}, 2), 'centre', a.centre)).squares / nullif(sum(if(latitude is null, null, calls)), 0))"
)
PLACE = "if(latitude is null, null, named_struct('latitude', latitude, 'longitude', longitude))"
HOME, WORK = f"max_by({PLACE}, struct(night_calls, cell_id))", f"max_by({PLACE}, struct(work_calls, cell_id))"

BY_NETWORK = {
    "voice_out_calls_to": (CALLS, "Calls made to", "voice_out_calls"),
    "voice_in_calls_from": (CALLS, "Calls received from", "voice_in_calls"),
    "voice_out_seconds_to": (SECONDS, "Seconds of calls made to", "voice_out_seconds"),
    "voice_in_seconds_from": (SECONDS, "Seconds of calls received from", "voice_in_seconds"),
}
"""What is added up by the peers' network: unit, words and column."""

PEERS = (
    *(
        Indicator(
            f"{what}_{name}", unit, f"{told} {words} numbers.", over="edges", monthly=total(f"peer_network in ({codes})", column)
        )
        for what, (unit, told, column) in BY_NETWORK.items()
        for name, (words, codes) in NETWORKS.items()
    ),
    *(
        Indicator(
            f"message_out_to_{name}",
            MESSAGES,
            f"SMS and MMS sent to {words} numbers.",
            over="edges",
            monthly=total(f"peer_network in ({codes})", "message_out"),
        )
        for name, (words, codes) in NETWORKS.items()
        if name not in ("fixed",)
    ),
    Indicator(
        "voice_out_calls_to_competitor",
        CALLS,
        "Calls made to the competitor's numbers.",
        monthly="voice_out_calls_to_unicom_gsm + voice_out_calls_to_unicom_cdma",
    ),
    Indicator(
        "voice_in_calls_from_competitor",
        CALLS,
        "Calls received from the competitor's numbers.",
        monthly="voice_in_calls_from_unicom_gsm + voice_in_calls_from_unicom_cdma",
    ),
    Indicator(
        "message_out_to_competitor",
        MESSAGES,
        "SMS and MMS sent to the competitor's numbers.",
        monthly="message_out_to_unicom_gsm + message_out_to_unicom_cdma",
    ),
    Indicator(
        "voice_out_own_share", SHARE, "On-net part of calls made.", monthly=share("voice_out_calls_to_own", "voice_out_calls")
    ),
    Indicator(
        "voice_out_competitor_share",
        SHARE,
        "Part of calls made that goes to the competitor.",
        monthly=share("voice_out_calls_to_competitor", "voice_out_calls"),
    ),
    Indicator(
        "voice_out_fixed_share",
        SHARE,
        "Part of calls made that goes to fixed and PHS numbers.",
        monthly=share("voice_out_calls_to_fixed + voice_out_calls_to_phs", "voice_out_calls"),
    ),
    Indicator(
        "voice_in_competitor_share",
        SHARE,
        "Part of calls received that comes from the competitor.",
        monthly=share("voice_in_calls_from_competitor", "voice_in_calls"),
    ),
    Indicator(
        "message_out_competitor_share",
        SHARE,
        "Part of SMS and MMS sent that goes to the competitor.",
        monthly=share("message_out_to_competitor", "message_out_to_own + message_out_to_competitor"),
    ),
    Indicator(
        "voice_out_seconds_competitor_share",
        SHARE,
        "Part of seconds of calls made that goes to the competitor.",
        monthly=share("voice_out_seconds_to_unicom_gsm + voice_out_seconds_to_unicom_cdma", "voice_out_seconds"),
    ),
    Indicator(
        "voice_out_calls_to_competitor_to_before_ratio",
        RATIO,
        "Calls made to the competitor's numbers over those of the month before.",
        monthly=share("voice_out_calls_to_competitor", "calls_to_competitor_before"),
    ),
    Indicator(
        "calls_to_competitor_before",
        CALLS,
        "Calls made to the competitor's numbers the month before.",
        over="edges",
        monthly=total(COMPETITOR, "voice_out_calls_before"),
    ),
    Indicator(
        "peers",
        COUNTED,
        "Distinct peers, service numbers left out (bandicoot, cider: contacts).",
        over="edges",
        monthly=f"count_if({MET})",
    ),
    Indicator(
        "peers_voice", COUNTED, "Distinct peers of calls.", over="edges", monthly="count_if(voice_out_calls + voice_in_calls > 0)"
    ),
    Indicator(
        "peers_message", COUNTED, "Distinct peers of messages.", over="edges", monthly="count_if(message_out + message_in > 0)"
    ),
    Indicator(
        "peers_out",
        COUNTED,
        "Distinct peers called or written to.",
        over="edges",
        monthly="count_if(voice_out_calls + message_out > 0)",
    ),
    Indicator(
        "peers_in",
        COUNTED,
        "Distinct peers who called or wrote.",
        over="edges",
        monthly="count_if(voice_in_calls + message_in > 0)",
    ),
    Indicator(
        "peers_both_ways",
        COUNTED,
        "Peers with contacts out and in.",
        over="edges",
        monthly="count_if(voice_out_calls + message_out > 0 and voice_in_calls + message_in > 0)",
    ),
    Indicator("peers_once", COUNTED, "Peers met once.", over="edges", monthly="count_if(contacts = 1)"),
    Indicator("peers_often", COUNTED, "Peers met on five days or more.", over="edges", monthly="count_if(days_met >= 5)"),
    Indicator(
        "peers_kept",
        COUNTED,
        "Peers met in this month and the one before.",
        over="edges",
        monthly=f"count_if({MET} and contacts_before > 0)",
    ),
    Indicator(
        "peers_new",
        COUNTED,
        "Peers not met the month before; null for a user without a record then.",
        monthly=known_before("peers - peers_kept"),
    ),
    Indicator(
        "peers_lost",
        COUNTED,
        "Peers of the month before not met any more.",
        over="edges",
        monthly="count_if(contacts = 0 and contacts_before > 0)",
    ),
    Indicator("peers_before", COUNTED, "Peers of the month before.", over="edges", monthly="count_if(contacts_before > 0)"),
    Indicator(
        "peers_off_net", COUNTED, "Peers on other networks.", over="edges", monthly=f"count_if({MET} and peer_network <> 'own')"
    ),
    Indicator(
        "peers_competitor", COUNTED, "Peers with the competitor.", over="edges", monthly=f"count_if({MET} and {COMPETITOR})"
    ),
    Indicator("peers_long_distance", COUNTED, "Peers of other areas.", over="edges", monthly=f"count_if({MET} and is_away)"),
    Indicator(
        "peer_areas",
        AREAS,
        "Distinct area codes of peers.",
        over="edges",
        monthly=f"size(collect_set(if({MET}, peer_area, null)))",
    ),
    Indicator("peer_top1_share", SHARE, "Strongest peer's part of all contacts.", over="edges", monthly=top("contacts", 1)),
    Indicator("peer_top3_share", SHARE, "Three strongest peers' part.", over="edges", monthly=top("contacts", 3)),
    Indicator("peer_top5_share", SHARE, "Five strongest peers' part.", over="edges", monthly=top("contacts", 5)),
    Indicator(
        "peer_entropy",
        NATS,
        "Entropy of contacts over peers (bandicoot, cider: entropy of contacts).",
        over="edges",
        monthly=entropy("contacts"),
    ),
    Indicator(
        "peer_pareto_share",
        SHARE,
        "Part of peers that hold 80 % of contacts, strongest first (cider: pareto interactions).",
        over="edges",
        monthly=pareto("nullif(contacts, 0)"),
    ),
    Indicator(
        "peer_seconds_pareto_share",
        SHARE,
        "Part of peers spoken with that hold 80 % of call seconds (cider: pareto durations).",
        over="edges",
        monthly=pareto("if(voice_out_calls + voice_in_calls > 0, voice_out_seconds + voice_in_seconds, null)"),
    ),
    Indicator(
        "peer_mean_contacts",
        MEAN_CONTACTS,
        "Mean contacts a peer (bandicoot, cider: interactions per contact).",
        over="edges",
        monthly="avg(nullif(contacts, 0))",
    ),
    Indicator(
        "peer_deviation_contacts",
        MEAN_CONTACTS,
        "Standard deviation of contacts a peer.",
        over="edges",
        monthly="stddev_pop(nullif(contacts, 0))",
    ),
    Indicator(
        "peer_balance_mean",
        SHARE,
        "Mean over peers of the outgoing part of contacts (bandicoot, cider: balance of contacts).",
        over="edges",
        monthly="avg(cast(voice_out_calls + message_out as double) / nullif(contacts, 0))",
    ),
    Indicator(
        "peer_balance_deviation",
        SHARE,
        "Its standard deviation over peers.",
        over="edges",
        monthly="stddev_pop(cast(voice_out_calls + message_out as double) / nullif(contacts, 0))",
    ),
    Indicator("peer_mean_days", MEAN_DAYS, "Mean days a peer was met on.", over="edges", monthly="avg(nullif(days_met, 0))"),
    Indicator(
        "peers_both_ways_share", SHARE, "Part of peers with contacts both ways.", monthly=share("peers_both_ways", "peers")
    ),
    Indicator("peers_new_share", SHARE, "Part of peers not met the month before.", monthly=share("peers_new", "peers")),
    Indicator(
        "peers_lost_share",
        SHARE,
        "Part of the month before's peers not met any more.",
        monthly=share("peers_lost", "peers_before"),
    ),
    Indicator(
        "peers_kept_share",
        SHARE,
        "Peers met in both months over peers met in either (Jaccard); null for a user without a record the month before.",
        monthly=known_before(share("peers_kept", "peers + peers_lost")),
    ),
    Indicator("peers_to_before_ratio", RATIO, "Peers over those of the month before.", monthly=share("peers", "peers_before")),
    Indicator("peers_off_net_share", SHARE, "Part of peers on other networks.", monthly=share("peers_off_net", "peers")),
    Indicator("peers_competitor_share", SHARE, "Part of peers with the competitor.", monthly=share("peers_competitor", "peers")),
    Indicator("peers_long_distance_share", SHARE, "Part of peers of other areas.", monthly=share("peers_long_distance", "peers")),
    Indicator(
        "peers_left",
        COUNTED,
        "Peers among our users who left in this month or the one before, as known at the month's end.",
        over="edges",
        monthly=f"count_if({MET} and has_left)",
    ),
    Indicator("peers_left_share", SHARE, "Part of peers who left.", monthly=share("peers_left", "peers")),
    Indicator(
        "contacts_left_share",
        SHARE,
        "Their part of contacts.",
        over="edges",
        monthly=share(total("has_left", "contacts"), "sum(contacts)"),
    ),
    Indicator(
        "peers_mms",
        COUNTED,
        "Peers written to or called by the user who sent an MMS this month.",
        over="edges",
        monthly=f"count_if({MET} and sends_mms)",
    ),
    Indicator("peers_mms_share", SHARE, "Their part of peers.", monthly=share("peers_mms", "peers")),
    Indicator("cells", CELLS, "Distinct cells (bandicoot, cider: antennas).", over="places", monthly="count(*)"),
    Indicator("cells_night", CELLS, "Distinct cells by night.", over="places", monthly="count_if(night_calls > 0)"),
    Indicator(
        "cells_work",
        CELLS,
        "Distinct cells of working hours: outside night, Mondays to Fridays.",
        over="places",
        monthly="count_if(work_calls > 0)",
    ),
    Indicator("cell_days", MONTH_DAYS, "Most days that one cell was used on.", over="places", monthly="max(days_seen)"),
    Indicator(
        "cell_top1_share",
        SHARE,
        "Commonest cell's part of calls.",
        over="places",
        monthly="cast(max(calls) as double) / nullif(sum(calls), 0)",
    ),
    Indicator("cell_top3_share", SHARE, "Three commonest cells' part.", over="places", monthly=top("calls", 3)),
    Indicator(
        "cell_entropy",
        NATS,
        "Entropy of calls over cells (bandicoot, cider: entropy of antennas).",
        over="places",
        monthly=entropy("calls"),
    ),
    Indicator(
        "cell_pareto",
        CELLS,
        "Fewest cells that hold 80 % of calls (bandicoot: frequent antennas).",
        over="places",
        monthly=f"cast(round({pareto('calls')} * count(*)) as bigint)",
    ),
    Indicator(
        "gyration_km",
        KM,
        "Radius of gyration of calls over cells (Gonzalez, Hidalgo, Barabasi 2008, as in bandicoot).",
        over="places",
        monthly=GYRATION,
    ),
    Indicator(
        "home_cell",
        CODE,
        "Cell with most calls by night, of equals the last by name.",
        over="places",
        monthly="if(max(night_calls) > 0, max_by(cell_id, struct(night_calls, cell_id)), null)",
    ),
    Indicator(
        "work_cell",
        CODE,
        "Cell with most calls of working hours (outside night, Mondays to Fridays), of equals the last by name.",
        over="places",
        monthly="if(max(work_calls) > 0, max_by(cell_id, struct(work_calls, cell_id)), null)",
    ),
    Indicator(
        "home_calls_share",
        SHARE,
        "Part of calls begun in the home cell (bandicoot: at home).",
        over="places",
        monthly="if(max(night_calls) > 0, cast(max_by(calls, struct(night_calls, cell_id)) as double) / nullif(sum(calls), 0), null)",
    ),
    Indicator(
        "home_work_km",
        KM,
        "Distance between home and work cell; null where either is not known to stand anywhere.",
        over="places",
        monthly=f"if(max(night_calls) > 0 and max(work_calls) > 0 and {HOME} is not null and {WORK} is not null, {distance(f'({HOME})', f'({WORK})')}, null)",
    ),
)
