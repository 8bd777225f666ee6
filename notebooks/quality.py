# %% [markdown]
# # Quality
#
# Whether the data can be relied on: are all days there, which checks fail and since when, which rows were set aside and why, whose file
# it was, and what to do. Rows and lines are counted here, not people.

# %%
from churnlake.notebook import named, open_lake
from churnlake.site import contents, health, wording
from churnlake.tables.clean import RECORDS
from churnlake.tables.quality import CHECKS, SCORES
from churnlake.tables.raw import FILES

lake = open_lake()
lake

# %% [markdown]
# ## The newest day judged
#
# Errors must not be: lists and training wait for them to be mended. Warnings are worth a look.

# %%
site = lake.site(*RECORDS, FILES, CHECKS, SCORES)
quality = contents.quality(site)
lake.table(
    [{"day": quality["judged"], "state": quality["state_words"], **quality["counts"]}],
    {"day": "Day", "state": "The data", "passed": "Checks that hold", "errors": "Errors", "warnings": "Warnings"},
)

# %% [markdown]
# ## What is wrong, since when, and whose file
#
# One row per check that fails, the gravest first. **What to do:** a failing table with files named is the source's to mend (ask for the
# file again, or correct the feed file in `conf/feeds`), then run the job with `--restate`. Without files it was made by one of our jobs:
# run that job again over the day. What the check touches is made anew by the next run.

# %%
lake.table(
    quality["wrong"],
    {
        "severity": "Severity",
        "table_name": "Table",
        "check_name": "Check",
        "column_name": "Measure",
        "observed": "Seen",
        "expected": "Expected",
        "since": "Since",
        "files": ("Files that brought it", named("path")),
        "maker": "Made by",
        "touches": ("Tables made from it", len),
    },
    nothing="Nothing: every check of that day holds.",
)

# %% [markdown]
# ## Not seen by readers
#
# Slices that a gate withheld or a check withdrew: no notebook, page or model has them. `python -m churnlake release` lets them be seen
# as they are.

# %%
lake.table(
    [{"table": table, "slices": slices} for table, slices in site.held_back.items()],
    {"table": "Table", "slices": "Slices"},
    "Nothing is held back.",
)

# %% [markdown]
# ## Scores day by day
#
# Mean over all tables of the share of checks that hold, by dimension. One dimension that falls alone tells what kind of fault it is.

# %%
lake.draw(quality["figures"].get("trend"))

# %% [markdown]
# ## Five weeks at a glance
#
# A row a table, a cell a day: green all checks hold, amber a warning, red an error, blank nothing was asked. A red column is a bad
# delivery, a red row a bad job or a source that changed.

# %%
lake.draw(health.weeks(quality["strip"]))

# %% [markdown]
# ## Scores by table
#
# The newest day: what holds, by table and dimension. A dash: nothing was asked.

# %%
lake.table(
    [{"table": table, **dict.fromkeys(quality["dimensions"]), **scores} for table, scores in quality["heat"].items()],
    {"table": "Table", **{name: (name.capitalize(), wording.share) for name in quality["dimensions"]}},
)

# %% [markdown]
# ## Every line accounted for
#
# In = good + quarantined + duplicates + suppressed (of users erased). Lines are counted from the files, apart from Spark. *Missing* must
# be nought.

# %%
lake.table(
    quality["account"],
    {
        "feed": "Feed",
        "files": ("Files", wording.count),
        "unreadable_files": ("Unreadable", wording.count),
        "lines": ("Lines", wording.count),
        "taken": ("Rows in", wording.count),
        "good": ("Good", wording.count),
        "bad": ("Quarantined", wording.count),
        "duplicate": ("Duplicates", wording.count),
        "suppressed": ("Suppressed", wording.count),
        "gap": ("Missing", wording.count),
    },
)

# %% [markdown]
# ## Rows set aside, day by day
#
# A steady trickle is the source's usual noise; a day that stands out is a broken file.

# %%
lake.draw(quality["figures"].get("aside"))

# %% [markdown]
# ## Why rows were set aside
#
# The reasons that most rows give. A row may give several; on a good row a reason is a warning.

# %%
lake.table(quality["reasons"], {"feed": "Feed", "state": "State", "reason": "Reason", "rows": ("Rows", wording.count)})

# %% [markdown]
# ## Where the faults lie
#
# Of the last week judged, the files that most rows were set aside of, and the column to blame. One file and one reason is a broken
# export; one reason over all files is a format that changed. Once mended, `reprocess_quarantine` takes the lines in again.

# %%
lake.table(
    quality["by_file"], {"feed": "Feed", "path": "File", "column": "Column", "reason": "Reason", "rows": ("Rows", wording.count)}
)
