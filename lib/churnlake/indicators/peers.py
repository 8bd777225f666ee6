"""Call peers: the circle, the networks it is on, and where the user moves."""

from churnlake.core.contract import COUNT, SHARE, Indicator

NETWORKS = {"own": "'own'", "competitor": "'unicom_gsm', 'unicom_cdma'", "fixed": "'fixed', 'phs'"}
TOP = "aggregate(slice(sort_array(collect_list(contacts), false), 1, {k}), 0L, (a, c) -> a + c) / nullif(sum(contacts), 0)"

PEERS = (
    *(
        Indicator(
            f"voice_out_calls_to_{name}",
            COUNT,
            f"Calls made to {name} numbers.",
            daily=f"count_if(service = 'voice' and direction = 'out' and seconds > 0 and peer_network in ({codes}))",
        )
        for name, codes in NETWORKS.items()
    ),
    Indicator(
        "sms_out_messages_to_competitor",
        COUNT,
        "SMS sent to competitor numbers.",
        daily="count_if(service = 'sms' and direction = 'out' and peer_network in ('unicom_gsm', 'unicom_cdma'))",
    ),
    Indicator(
        "voice_out_competitor_share",
        SHARE,
        "Part of calls made that goes to the competitor.",
        monthly="voice_out_calls_to_competitor / nullif(voice_out_calls, 0)",
    ),
    Indicator(
        "voice_out_fixed_share",
        SHARE,
        "Part of calls made that goes to fixed and PHS numbers.",
        monthly="voice_out_calls_to_fixed / nullif(voice_out_calls, 0)",
    ),
    Indicator("peers", COUNT, "Distinct peers, service numbers left out.", over="edges", monthly="count(*)"),
    Indicator("peers_out", COUNT, "Distinct peers called or written to.", over="edges", monthly="count_if(contacts_out > 0)"),
    Indicator("peers_new", COUNT, "Peers not met the month before.", over="edges", monthly="count_if(not seen_before)"),
    Indicator(
        "peers_both_ways",
        COUNT,
        "Peers with contacts out and in.",
        over="edges",
        monthly="count_if(contacts_out > 0 and contacts > contacts_out)",
    ),
    Indicator("peers_off_net", COUNT, "Peers on other networks.", over="edges", monthly="count_if(peer_network <> 'own')"),
    Indicator("peer_top1_share", SHARE, "Strongest peer's part of all contacts.", over="edges", monthly=TOP.format(k=1)),
    Indicator("peer_top3_share", SHARE, "Three strongest peers' part.", over="edges", monthly=TOP.format(k=3)),
    Indicator("peer_top5_share", SHARE, "Five strongest peers' part.", over="edges", monthly=TOP.format(k=5)),
    Indicator(
        "peer_entropy",
        SHARE,
        "Entropy of contacts over peers, in nats.",
        over="edges",
        monthly="ln(sum(contacts)) - sum(contacts * ln(contacts)) / sum(contacts)",
    ),
    Indicator("peer_areas", COUNT, "Distinct area codes of peers.", over="edges", monthly="count(distinct peer_area)"),
    Indicator(
        "peers_both_ways_share", SHARE, "Part of peers with contacts both ways.", monthly="peers_both_ways / nullif(peers, 0)"
    ),
    Indicator("peers_new_share", SHARE, "Part of peers not met the month before.", monthly="peers_new / nullif(peers, 0)"),
    Indicator("peers_off_net_share", SHARE, "Part of peers on other networks.", monthly="peers_off_net / nullif(peers, 0)"),
    Indicator(
        "peers_left",
        COUNT,
        "Peers among our users who left in this month or the one before, as known at the month's end.",
        over="edges",
        monthly="count_if(has_left)",
    ),
    Indicator("peers_left_share", SHARE, "Part of peers who left.", monthly="peers_left / nullif(peers, 0)"),
    Indicator("cells", COUNT, "Distinct cells.", over="places", monthly="count(*)"),
    Indicator("cell_top1_share", SHARE, "Commonest cell's part of calls.", over="places", monthly="max(calls) / sum(calls)"),
    Indicator(
        "cell_entropy",
        SHARE,
        "Entropy of calls over cells, in nats.",
        over="places",
        monthly="ln(sum(calls)) - sum(calls * ln(calls)) / sum(calls)",
    ),
)
