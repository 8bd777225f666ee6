"""The city's day taken in by DuckDB: the same files, rules, pseudonyms, accounting and sums, to measure the lakehouse against.

Written for DuckDB as its users would write it: one pass over the files with its own CSV reader, numbers of the usual form told
apart from the few that need a pattern, repeats found by one narrow aggregation, tables as Parquet sorted like ours. It shares
the daily formulas with the house, put in its own words, and nothing else. Reads the city's own feeds only.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnlake.evaluate.duck_formulas import daily
from churnlake.evaluate.duck_numbers import declare
from churnlake.indicators import DAILY
from churnlake.indicators.hours import HOUR_UNIT
from churnlake.landing.settings import LandingSettings
from churnlake.usage.settings import UsageSettings

FEEDS = {
    "voice": "id, number, peer, began, way, seconds, class, cell, imei, forwarded, release, fee",
    "sms": "id, number, peer, began, way, fee",
    "mms": "id, number, peer, began, way, bytes, fee",
    "wap": "id, number, began, seconds, bytes, site, fee",
}
CODES = {
    "voice": {"way": {"0": "out", "1": "in", "2": "forwarded"}},
    "sms": {"way": {"0": "out", "1": "in"}},
    "mms": {"way": {"0": "out", "1": "in"}},
}
CLASSES = {"D": "local", "L": "long_distance", "I": "international", "R": "roaming"}
RELEASES = {"0": "answered", "1": "busy", "2": "no_answer", "3": "failed", "4": "dropped"}
SUMS = {
    "usage": [i.name for i in DAILY if i.merge == "sum"],
    "edges": ["voice_out_calls", "voice_in_calls", "voice_out_seconds", "voice_in_seconds", "message_out", "message_in"],
    "forwards": ["calls"],
    "places": ["voice_calls", "night_calls"],
    "devices": ["voice_calls"],
}
"""The daily tables, each with the columns whose sums both sides must agree in."""


@dataclass(frozen=True)
class Task:
    """What DuckDB is asked: where the files lie, where its tables go, with how much of the machine."""

    landing: Path
    out: Path
    key: bytes
    threads: int
    memory: str
    landing_settings: LandingSettings
    usage_settings: UsageSettings
    late_days: int


def measure(task: Task) -> dict[str, Any]:
    """Run every step; ``steps`` (name -> seconds), ``results`` (what must agree with the house) and ``peak_memory_mb``."""
    import duckdb

    task.out.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect()
    con.execute(f"SET threads={task.threads}; SET memory_limit='{task.memory}'; SET temp_directory='{task.out / 'spill'}'")
    con.execute("SET TimeZone='UTC'; SET preserve_insertion_order=false")
    declare(con, task.key, task.landing_settings)
    _lives(con, task)
    steps: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Any]) -> None:
        began = time.monotonic()
        step()
        steps[name] = time.monotonic() - began

    timed("files", lambda: _files(con, task))
    for feed in FEEDS:
        timed(feed, lambda feed=feed: _clean(con, task, feed))  # type: ignore[misc]
    clean = {feed: f"read_parquet('{task.out}/clean/{feed}/state=good/*.parquet', hive_partitioning=false)" for feed in FEEDS}
    con.execute(f"CREATE VIEW events AS {events(clean)}")
    for table in SUMS:
        query = f"{DAILY_OF[table](task.usage_settings)} ORDER BY user_id"
        timed(table, lambda table=table, query=query: _copy(con, task, query, f"daily/{table}"))  # type: ignore[misc]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"steps": steps, "results": results(con, task.out), "peak_memory_mb": peak}


def results(con: Any, out: Path) -> dict[str, Any]:
    """Counts and sums of what was written, by table: what both sides must have the same of."""
    found: dict[str, Any] = {}
    for feed in FEEDS:
        read = f"read_parquet('{out}/clean/{feed}/*/*.parquet', hive_partitioning=true)"
        rows = con.execute(f"SELECT state, count(*) FROM {read} GROUP BY state").fetchall()
        found[f"clean.{feed}"] = dict(sorted(rows))
        lengths = "sum(seconds)" if feed in ("voice", "wap") else "0"
        parties = "0" if feed == "wap" else "count(DISTINCT peer_key)"
        told = con.execute(
            f"SELECT count(DISTINCT number_key), {parties}, {lengths}, sum(fee_yuan) FROM {read} WHERE state = 'good'"
        ).fetchone()
        found[f"clean.{feed}"] |= dict(zip(("numbers", "peers", "seconds", "fee"), map(_plain, told), strict=True))
    for table, columns in SUMS.items():
        read = f"read_parquet('{out}/daily/{table}/*.parquet')"
        told = con.execute(
            f"SELECT count(*), count(DISTINCT user_id), {', '.join(f'sum({c})' for c in columns)} FROM {read}"
        ).fetchone()
        found[f"daily.{table}"] = dict(zip(("rows", "users", *columns), map(_plain, told), strict=True))
    return found


def _plain(value: Any) -> float:
    return round(float(value or 0), 2)


def _copy(con: Any, task: Task, query: str, to: str, parts: str = "") -> None:
    target = task.out / to
    target.mkdir(parents=True, exist_ok=True)
    options = f"FORMAT parquet, COMPRESSION snappy, OVERWRITE_OR_IGNORE true{parts}"
    where = f"'{target}'" if parts else f"'{target / 'part.parquet'}'"
    con.execute(f"COPY ({query}) TO {where} ({options})")


def _csv(task: Task, feed: str) -> str:
    columns = ", ".join(f"'{c.strip()}': 'VARCHAR'" for c in FEEDS[feed].split(","))
    return (
        f"read_csv('{task.landing}/{feed}/*/*.csv.gz', header=true, auto_detect=false, delim=',', quote='', escape='', "
        f"columns={{{columns}}}, filename=true, store_rejects=true, strict_mode=true)"
    )


def _files(con: Any, task: Task) -> None:
    """Every file's hash, and its lines counted by themselves."""
    con.execute("CREATE OR REPLACE TABLE files (name VARCHAR, hash VARCHAR, lines BIGINT)")
    for feed in FEEDS:
        where = f"'{task.landing}/{feed}/*/*.csv.gz'"
        whole = "auto_detect=false, delim='\x01', quote='', escape='', columns={'l': 'VARCHAR'}, encoding='latin-1'"
        lines = f"read_csv({where}, header=true, {whole}, filename=true)"
        con.execute(
            f"INSERT INTO files SELECT filename, h, n FROM (SELECT filename, sha256(content) h FROM read_blob({where})) "
            f"JOIN (SELECT filename, count(*) n FROM {lines} GROUP BY filename) USING (filename)"
        )


def _codes(column: str, codes: dict[str, str]) -> str:
    return f"CASE {column} {' '.join(f'WHEN {k!r} THEN {v!r}' for k, v in codes.items())} ELSE {column} END"


def _party(column: str, name: str) -> str:
    """The columns of one party: the usual 11 digits as they are, anything else by the pattern."""
    usual = f"length({column}) = 11 AND network_of({column}) <> 'unknown' AND try_cast({column} AS BIGINT) IS NOT NULL"
    return f"CASE WHEN NOT ({usual}) THEN apart(translate({column}, ' -()|\t', '')) END AS {name}"


def _clean(con: Any, task: Task, feed: str) -> None:
    """Every line of one feed as a row with its state and reasons, sorted and by state, with exact duplicates set aside."""
    names = [c.strip() for c in FEEDS[feed].split(",")]
    has_peer, voice = "peer" in names, feed == "voice"
    parties = ["number", *(["peer"] if has_peer else []), *(["forwarded"] if voice else [])]
    texts = ", ".join(f"nullif(nullif(trim({c}), ''), 'NULL') AS {c}" for c in names)
    typed = [
        "try_strptime(CASE WHEN length(began) = 14 THEN began END, '%Y%m%d%H%M%S') AS local",
        "try_cast(try_cast(fee AS DECIMAL(24,6)) * 0.01 AS DECIMAL(12,2)) AS fee_yuan",
        "try_cast(regexp_extract(filename, 'date=([0-9-]+)', 1) AS DATE) AS delivered_on",
        *(_party(p, f"{p}_parts") for p in parties),
    ]
    whole = "CASE WHEN NOT contains({0}, '.') THEN try_cast({0} AS {1}) END"
    for name, kind in (("seconds", "INT"), ("bytes", "BIGINT")):
        if name in names:
            typed.append(f"{whole.format(name, kind)} AS {name}_value")
    if voice:
        handset = "left(imei, 14)"
        typed.append(
            f"CASE WHEN try_cast({handset} AS BIGINT) > 0 AND length({handset}) = 14 AND {handset} NOT LIKE '%.%' THEN {handset} END AS handset"
        )
    told = []
    for p in parties:
        told.append(
            f"CASE WHEN translate({p}, '0 -()|\t', '') = '' THEN NULL WHEN {p}_parts IS NULL THEN "
            f"CASE WHEN {p} IS NOT NULL THEN {{'number': {p}, 'network': network_of({p}), 'area': NULL, 'service': NULL}} END "
            f"ELSE named({p}, {p}_parts) END AS {p}_party"
        )
    no_user = "('service', 'international', 'unknown')"
    own = f"CASE WHEN number_party.network NOT IN {no_user} THEN number_party.number END"
    columns = {
        "number_key": f"pseudonym('number', {own})",
        "started_at": "local - INTERVAL 8 HOUR",
        "day": "CAST(local AS DATE)",
        "hour": "CAST(hour(local) AS INT)",
        "delivered_on": "delivered_on",
    }
    needs = {"number": "number_key IS NOT NULL", "record_id": "id IS NOT NULL", "started_at": "started_at IS NOT NULL"}
    needs["day"] = "started_at IS NULL OR day BETWEEN DATE '1995-01-01' AND delivered_on + 1"
    needs["too_late"] = f"started_at IS NULL OR day >= delivered_on - {task.late_days} OR day < DATE '1995-01-01'"
    needs["fee"] = "fee IS NULL OR fee_yuan IS NOT NULL"
    if has_peer:
        columns |= {
            "peer_key": "pseudonym('number', peer_party.number)",
            "peer_network": "peer_party.network",
            "peer_area": "peer_party.area",
            "peer_service": "peer_party.service",
            "direction": _codes("way", CODES[feed]["way"]),
        }
        needs["direction"] = f"direction IN ({', '.join(map(repr, CODES[feed]['way'].values()))})"
    if "seconds" in names:
        columns["seconds"] = "seconds_value"
        needs["seconds"] = "seconds BETWEEN 0 AND 86400"
    if "bytes" in names:
        columns["bytes"] = "bytes_value"
        needs["bytes"] = f"bytes BETWEEN 0 AND {2_000_000_000 if feed == 'wap' else 10_000_000}"
    if "site" in names:
        columns["site"] = "site"
    if voice:
        columns |= {
            "dialled_form": "CASE WHEN peer_party IS NULL THEN NULL WHEN peer_parts IS NULL THEN 'plain' ELSE form_of(peer_parts) END",
            "is_ip": "coalesce(peer_parts.ip <> '', false)",
            "call_class": _codes("class", CLASSES),
            "cell_id": "cell",
            "imei_key": "pseudonym('imei', handset)",
            "tac": "left(handset, 8)",
            "imei_form": "CASE WHEN handset IS NOT NULL THEN 'whole' WHEN left(imei, 14) = '00000000000000' THEN 'zeros' "
            "WHEN trim(imei) <> '' THEN 'unreadable' END",
            "forwarded_key": "pseudonym('number', forwarded_party.number)",
            "forwarded_network": "forwarded_party.network",
            "release_cause": _codes("release", RELEASES),
        }
        needs["call_class"] = f"call_class IS NULL OR call_class IN ({', '.join(map(repr, CLASSES.values()))})"
        needs["release_cause"] = f"release_cause IS NULL OR release_cause IN ({', '.join(map(repr, RELEASES.values()))})"
    columns["fee_yuan"] = "fee_yuan"
    # a condition that is null (a missing value) is not kept either
    holds = {name: f"coalesce({condition}, false)" for name, condition in needs.items()}
    sound = " AND ".join(holds.values())
    reasons = ", ".join(f"CASE WHEN NOT {condition} THEN '{name}' END" for name, condition in holds.items())
    line = f"concat_ws(',', {', '.join(names)})"
    made = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    keys = "hash(id, number_key, day)"
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE staged AS "
        f"WITH lines AS (SELECT {texts}, filename FROM {_csv(task, feed)}), "
        f"typed AS (SELECT {', '.join(n for n in names if n not in ('seconds', 'bytes'))}, "
        f"{''.join(f'{n} AS {n}_text, ' for n in names if n in ('seconds', 'bytes'))} filename, {', '.join(typed)} FROM lines), "
        f"told AS (SELECT *, {', '.join(told)} FROM typed), "
        f"made AS (SELECT {made}, id, fee, filename, {line.replace('seconds', 'seconds_text').replace('bytes', 'bytes_text')} AS line FROM told), "
        f"judged AS (SELECT *, {sound} AS is_sound FROM made) "
        f"SELECT {', '.join(columns)}, {keys} AS record_key, filename, is_sound, CASE WHEN NOT is_sound THEN line END AS raw_text, "
        f"CASE WHEN NOT is_sound THEN list_filter([{reasons}], lambda r: r IS NOT NULL) END AS reasons FROM judged"
    )
    # only keys that occur more than once need a second look
    con.execute(
        "CREATE OR REPLACE TEMP TABLE turns AS SELECT r, row_number() OVER (PARTITION BY record_key ORDER BY delivered_on, filename, content) AS turn, "
        "content = first(content) OVER (PARTITION BY record_key ORDER BY delivered_on, filename, content) AS same, "
        "first(filename) OVER (PARTITION BY record_key ORDER BY delivered_on, filename, content) AS kept_in "
        f"FROM (SELECT rowid AS r, record_key, filename, delivered_on, hash({', '.join(c for c in columns if c != 'delivered_on')}) AS content "
        "FROM staged WHERE is_sound AND record_key IN (SELECT record_key FROM staged WHERE is_sound GROUP BY record_key HAVING count(*) > 1))"
    )
    plain = ", ".join(columns)
    rows = (
        f"SELECT {plain}, record_key, filename, raw_text, CASE WHEN turn > 1 AND NOT same THEN ['same key, other content'] ELSE reasons END AS reasons, "
        "CASE WHEN turn > 1 AND same THEN kept_in END AS kept_in, "
        "CASE WHEN NOT is_sound OR (turn > 1 AND NOT same) THEN 'bad' WHEN turn > 1 THEN 'duplicate' ELSE 'good' END AS state "
        "FROM staged LEFT JOIN turns ON staged.rowid = turns.r"
    )
    # lines that have not the right number of fields; a line with one too many is told twice
    lost = (
        "SELECT DISTINCT ON (s.file_path, e.line) NULL AS record_key, s.file_path AS filename, e.csv_line AS raw_text, "
        "['wrong number of fields'] AS reasons, 'bad' AS state "
        "FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id)"
    )
    query = f"SELECT * FROM ({rows} UNION ALL BY NAME {lost}) ORDER BY day, number_key"
    _copy(con, task, query, f"clean/{feed}", ", PARTITION_BY (state), ROW_GROUP_SIZE 122880")
    con.execute("DROP TABLE staged; DROP TABLE turns")


def _lives(con: Any, task: Task) -> None:
    """One row per number and user as the subscribers' files tell; the house has its lives before the day begins, too."""
    read = f"read_csv('{task.landing}/subscribers/*/*.csv.gz', header=true, all_varchar=true, quote='', escape='')"
    moment = "try_strptime(nullif({0}, ''), '%Y%m%d%H%M%S') - INTERVAL 8 HOUR"
    con.execute(
        "CREATE TABLE lives AS WITH newest AS ("
        f"SELECT USER_ID AS u, arg_max(MSISDN, f) AS n, arg_max({moment.format('EFF_TIME')}, f) AS valid_from, "
        f"max(CASE WHEN EXP_TIME <> '' THEN {moment.format('EXP_TIME')} END) AS valid_to "
        f"FROM (SELECT *, filename AS f FROM {read.replace('escape=', 'filename=true, escape=')}) GROUP BY USER_ID) "
        "SELECT pseudonym('number', n) AS number_key, pseudonym('user', u) AS user_id, valid_from, "
        "least(coalesce(valid_to, TIMESTAMP '9999-12-31'), coalesce(lead(valid_from) OVER (PARTITION BY n ORDER BY valid_from, u), "
        "TIMESTAMP '9999-12-31')) AS valid_to FROM newest"
    )


def events(clean: Mapping[str, str]) -> str:
    """SQL of one row per clean record, with its user; ``clean`` is what to read by feed. The view or table ``lives`` must be there."""
    parts = []
    for feed, read in clean.items():
        way = "" if feed != "wap" else "'out' AS direction, "
        fee = "CASE WHEN fee_yuan BETWEEN 0 AND 10000 THEN fee_yuan END AS fee_yuan"
        parts.append(f"SELECT * REPLACE ({fee}), {way}'{feed}' AS service FROM {read}")
    union = " UNION ALL BY NAME ".join(parts)
    return (
        f"SELECT e.*, isodow(day) AS weekday, {HOUR_UNIT} AS hour_unit, coalesce(l.user_id, e.number_key) AS user_id FROM ({union}) e "
        "LEFT JOIN lives l ON e.number_key = l.number_key AND e.started_at >= l.valid_from AND e.started_at < l.valid_to"
    )


def _usage(_: UsageSettings) -> str:
    formulas = ", ".join(f"{daily(i)} AS {i.name}" for i in DAILY)
    return f"SELECT day, user_id, {formulas} FROM events GROUP BY day, user_id"


def _edges(_: UsageSettings) -> str:
    answered = "service = 'voice' AND seconds > 0"
    counted = (
        "SELECT day, user_id, peer_key, min(peer_network) AS peer_network, min(peer_area) AS peer_area, "
        f"count_if({answered} AND direction = 'out') AS voice_out_calls, count_if({answered} AND direction = 'in') AS voice_in_calls, "
        f"coalesce(sum(CASE WHEN {answered} AND direction = 'out' THEN seconds END), 0) AS voice_out_seconds, "
        f"coalesce(sum(CASE WHEN {answered} AND direction = 'in' THEN seconds END), 0) AS voice_in_seconds, "
        "count_if(service IN ('sms', 'mms') AND direction = 'out') AS message_out, "
        "count_if(service IN ('sms', 'mms') AND direction = 'in') AS message_in FROM events "
        "WHERE peer_key IS NOT NULL AND peer_service IS NULL AND peer_key <> number_key AND service <> 'wap' GROUP BY day, user_id, peer_key"
    )
    return f"{_named(counted)} WHERE voice_out_calls + voice_in_calls + message_out + message_in > 0"


def _forwards(_: UsageSettings) -> str:
    return _named(
        "SELECT day, user_id, forwarded_key AS peer_key, count(*) AS calls FROM events WHERE service = 'voice' AND direction = 'forwarded' "
        "AND forwarded_key IS NOT NULL AND forwarded_key <> number_key GROUP BY day, user_id, forwarded_key"
    )


def _named(counted: str) -> str:
    """SQL of the rows with the user who holds the peer's number that day, or the number."""
    begins, ends = (
        "CAST(p.valid_from + INTERVAL 8 HOUR AS DATE)",
        "CAST(least(p.valid_to, TIMESTAMP '9999-01-01') + INTERVAL 8 HOUR AS DATE)",
    )
    return (
        f"SELECT c.* EXCLUDE (peer_key), coalesce(p.user_id, c.peer_key) AS peer_id FROM ({counted}) c "
        f"LEFT JOIN lives p ON c.peer_key = p.number_key AND c.day >= {begins} AND c.day < {ends}"
    )


def _places(s: UsageSettings) -> str:
    return (
        f"SELECT day, user_id, cell_id, count(*) AS voice_calls, count_if(hour >= {s.night_from_hour} OR hour < {s.night_to_hour}) AS night_calls "
        "FROM events WHERE cell_id IS NOT NULL GROUP BY day, user_id, cell_id"
    )


def _devices(_: UsageSettings) -> str:
    return (
        "SELECT day, user_id, imei_key, min(tac) AS tac, count(*) AS voice_calls FROM events WHERE imei_key IS NOT NULL "
        "GROUP BY day, user_id, imei_key"
    )


DAILY_OF: dict[str, Callable[[UsageSettings], str]] = {
    "usage": _usage,
    "edges": _edges,
    "forwards": _forwards,
    "places": _places,
    "devices": _devices,
}
"""By daily table, the SQL of its rows over ``events``."""
