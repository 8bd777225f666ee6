"""How an operator's own files come in: the part of the dictionary about feed files."""

FEED_HELP = """
## Your own files: the feed file

Files lie under `landing/<feed>/date=YYYY-MM-DD/`, CSV (plain or .gz) or Parquet. One YAML file a feed,
`conf/feeds/<operator>/<feed>.yaml`, says how a line becomes a row of the landing contract (the `raw.*` tables below);
`store.feeds` names the operator, or is the path of a folder of feed files kept elsewhere.
No code is needed. Only one record feed is required; jobs say what they leave out.

| key | meaning |
|---|---|
| `feed` | the landing feed: `voice`, `sms`, `subscribers` ... |
| `format`, `delimiter`, `encoding`, `header` | `csv` or `parquet`; `header: [a, b, ...]` names the columns of files without a header line |
| `missing` | texts that mean nothing, such as `""` or `NULL` |
| `numbers` | `dialled`: normalise numbers as switches write them; `opaque`: ids, taken as they are |
| `rows` | one entry for every row that a line makes: one for a party's record, two where a line is a call of two parties |

Files may end in .txt, .dat or as they like; `delimiter: "\\t"` is a tab.

In an entry every contract column names its source: a header (`number: MSISDN`), a constant (`{value: local}`), or a header
with its reading: `{column: T, format: yyyyMMddHHmmss, zone: Asia/Shanghai}`, `{column: t, epoch_from: "2005-01-01 00:00:00"}`
(seconds from an origin), `{column: FEE_FEN, scale: 0.01}`, minutes that we
keep in seconds `{column: MINUTES, scale: 60}`, `{column: KIND, codes: {"0": out, "1": in}}`, with
`otherwise:` for codes not listed. A text that is there but cannot be read sets the row aside, with the reason; so does
every rule of the contract. Example, calls of two parties with a duration of -1 for a missed one:

```yaml
feed: voice
format: csv
numbers: opaque
rows:
  - number: caller
    peer_number: callee
    direction: {value: out}
    started_at: {column: timestamp, epoch_from: "2005-01-01 00:00:00", zone: UTC}
    seconds: {column: duration, codes: {"-1": "0"}}
  - number: callee
    peer_number: caller
    direction: {value: in}
    started_at: {column: timestamp, epoch_from: "2005-01-01 00:00:00", zone: UTC}
    seconds: {column: duration, codes: {"-1": "0"}}
```
"""
