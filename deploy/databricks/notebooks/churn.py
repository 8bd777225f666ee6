# Databricks notebook source
# MAGIC %md
# MAGIC # Churn
# MAGIC
# MAGIC Who left and where they went, who is leaving, who will leave next and how well that is known, and whom to call first. A user has left
# MAGIC once that is confirmed; churn *corrected* leaves out those who are back under another number.

# COMMAND ----------

from churnlake.notebook import open_lake
from churnlake.site import closed, contents, wording
from churnlake.site.stages import MOVED, moves, stages
from churnlake.site.staying import staying
from churnlake.tables.campaigns import LISTS
from churnlake.tables.causes import CAUSE_MONTHS
from churnlake.tables.churn import LABELS, LEAVINGS, MODELS, SCORES
from churnlake.tables.judged import JUDGED
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import OPT_OUTS
from churnlake.tables.stages import FORECASTS_JUDGED, LEAD_TIMES, SIGNS, TRANSITIONS
from churnlake.tables.staying import BUCKET, COHORTS, SILENCES, SURVIVAL

lake = open_lake()
lake

# COMMAND ----------

# MAGIC %md
# MAGIC ## Naive and corrected
# MAGIC
# MAGIC Of those active in a month, the share who left in the month after: as it looks, and without those seen back under another number. The
# MAGIC gap is churn that never was.

# COMMAND ----------

site = lake.site(
    LABELS,
    LEAVINGS,
    JOINERS,
    MATCHES,
    BUCKET,
    COHORTS,
    SURVIVAL,
    SILENCES,
    SIGNS,
    TRANSITIONS,
    LEAD_TIMES,
    FORECASTS_JUDGED,
    CAUSE_MONTHS,
    MODELS,
    SCORES,
    LISTS,
    OPT_OUTS,
)
churn, stay, warned = contents.churn(site), staying(site, lake.least), stages(site)
lake.draw(stay["figures"].get("rates"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## How they left
# MAGIC
# MAGIC Leavings by what confirmed them: cancelled, suspended for long, or silent for long. The newest months are not all confirmed yet.

# COMMAND ----------

lake.draw(churn["figures"].get("kinds"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Where they went
# MAGIC
# MAGIC Leavers by destination, expected by probability: back to us under a new number, to the competitor, elsewhere.

# COMMAND ----------

lake.draw(stay["figures"].get("bucket"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Joining cohorts
# MAGIC
# MAGIC A line a month of joining: the share of its users still active. A cohort that falls faster than those before it was bought, not won.

# COMMAND ----------

lake.draw(stay["figures"].get("heads"))

# COMMAND ----------

# MAGIC %md
# MAGIC The same in revenue: fees over those of the first whole month. Heads may hold while revenue goes.

# COMMAND ----------

lake.draw(stay["figures"].get("revenue"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Is silence long enough to mean leaving?
# MAGIC
# MAGIC Of those silent for so many days, the share who use the same number again. Where many still wake after the days set, leavers are called
# MAGIC too early.

# COMMAND ----------

lake.table(
    stay["silences"],
    {
        "brand": "Brand",
        "set_days": "Days set",
        "asked_days": "Days asked for",
        "wakes": ("Wake after the days set", wording.share),
    },
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Stages of leaving
# MAGIC
# MAGIC Users in the warning stage (a sign is likely) and the alarm stage (a sign is seen) at each month's end.

# COMMAND ----------

lake.draw(warned["figures"].get("ends"))

# COMMAND ----------

# MAGIC %md
# MAGIC From stage to stage in the newest month: rows are where users stood at its beginning, columns where they stood at its end. Alarm to
# MAGIC churned is what came true; alarm to healthy what passed, or was mended.

# COMMAND ----------

lake.table(moves(warned["matrix"]), MOVED)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Days of warning
# MAGIC
# MAGIC How long before they left the leavers of a month had been in a warning or alarm stage: the time there was to care.

# COMMAND ----------

lake.table(
    warned["lead_times"],
    {
        "month": ("Confirmed in", wording.month),
        "leavers": "Leavers",
        "warned_share": ("Warned", wording.share),
        "low_days": ("Lower quartile, days", wording.number),
        "median_days": ("Median", wording.number),
        "high_days": ("Upper quartile", wording.number),
    },
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Causes
# MAGIC
# MAGIC Why those left who did, as far as evidence tells, how many of those still here show the same, how many times as likely they are to leave,
# MAGIC and by how much mending it would lower churn.

# COMMAND ----------

lake.table(
    warned["causes"],
    {
        "words": "Cause",
        "leavers": ("Left for it", wording.count),
        "users": "Show it now",
        "severity_ratio": ("Times as likely", wording.number),
        "mend_yuan": ("Mending costs", wording.yuan),
        "lift_share": ("Churn would fall by", wording.share),
    },
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who will leave next
# MAGIC
# MAGIC Users of the newest month by the probability of leaving in the month after. Nearly all are on the left: leaving is rare, and so a
# MAGIC probability of a fifth is a lot.

# COMMAND ----------

lake.draw(churn["figures"].get("scores"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## How well the learners rank
# MAGIC
# MAGIC Tested on a month later than all they were taught with. A model that knows nothing scores the base rate.

# COMMAND ----------

lake.draw(churn["figures"].get("fits"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## What calling from the top finds
# MAGIC
# MAGIC The champion on closed months: the base rate, and the share of leavers among the likeliest 1, 2, 5 and 10 %. A calibration slope of 1 is
# MAGIC a probability that can be taken at its word; below 1 it is too extreme.

# COMMAND ----------

forecasts = lake.closed(SCORES, LABELS, MODELS, JUDGED)
lake.table(
    closed.tops(forecasts.get("judged"), lake.least),
    {
        "month": "Month tested on",
        "learner": "Learner",
        "users": ("Users", wording.count),
        "base_rate": ("Base rate", wording.share),
        **{f"precision_top_{top}": (f"Top {top} %", wording.share) for top in closed.TOPS},
        "lift_top_decile": ("Lift, top tenth", wording.number),
        "calibration_slope": ("Calibration slope", wording.number),
        "calibration_error": ("Calibration error", wording.number),
    },
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## For whom it works
# MAGIC
# MAGIC The same by parts of the customers. Where the lift is near 1 the ranking is no better than chance: do not call by it there.

# COMMAND ----------

lake.table(
    closed.by_part(forecasts.get("parts"), lake.least),
    {
        "part": "Parted by",
        "value": "Part",
        "users": "Users",
        "base_rate": ("Base rate", wording.share),
        "precision_top_10": ("Top 10 %", wording.share),
        "lift_top_decile": ("Lift, top tenth", wording.number),
    },
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What became of those scored
# MAGIC
# MAGIC Scores as they were published, of months whose outcome is known by now. Above the dotted line calling by score beats calling at random.

# COMMAND ----------

lake.draw(closed.gains(forecasts.get("closed"), lake.least))

# COMMAND ----------

# MAGIC %md
# MAGIC Probability told against the share who left: on the dotted line it can be taken at its word.

# COMMAND ----------

lake.draw(closed.calibration(forecasts.get("closed"), lake.least))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Whom to call first
# MAGIC
# MAGIC The top of the newest ranking, by short names, with what raises each score most. Who chose to be left alone is not on it.

# COMMAND ----------

lake.table(
    churn["ranked"],
    {
        "place": "Place",
        "user": "User",
        "probability": ("Probability", wording.number),
        "reasons": "Why",
        "cell": ("Cell", wording.words),
        "priority": "Priority",
        "value_yuan": ("Monthly value", wording.yuan),
    },
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The lists
# MAGIC
# MAGIC By action cell: whom to contact, and whom to leave alone as control group. Without the latter nobody can say what calling does.

# COMMAND ----------

lake.table(
    churn["cells"],
    {
        "cell": ("Cell", wording.words),
        "priority": "Priority",
        "users": ("Listed", wording.count),
        "target": ("To contact", wording.count),
        "control": ("Left alone", wording.count),
        "at_stake_yuan": ("At stake a month", wording.yuan),
    },
)
