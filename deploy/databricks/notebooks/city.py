# Databricks notebook source
# MAGIC %md
# MAGIC # The city
# MAGIC
# MAGIC Who our users are: how many, what they use, when, with whom, on which plan, from which dealer. Every figure is made from published
# MAGIC tables: days or months that are half written, or that a check withdrew, are not in it. Nobody is shown one by one, and what stands for
# MAGIC fewer people than `privacy.least_shown` is left out.

# COMMAND ----------

from churnlake.notebook import open_lake
from churnlake.site import contents, people, wording
from churnlake.site.circles import circles
from churnlake.tables.churn import LABELS, LEAVINGS
from churnlake.tables.circles import GROUPS, MEMBERS, NEIGHBOURS
from churnlake.tables.clean import RECORDS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import ITEMS, MONTHLY
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import SUBSCRIBERS

lake = open_lake()
lake

# COMMAND ----------

# MAGIC %md
# MAGIC ## In short
# MAGIC
# MAGIC Users are numbers in use. A customer who left and came back under a new number is one customer and two users: see the notebook on re-entry.

# COMMAND ----------

site = lake.site(*RECORDS, USAGE, LEAVINGS, JOINERS, MATCHES, GROUPS, MEMBERS, NEIGHBOURS, LABELS)
overview = contents.overview(site)
lake.table(
    [{"what": what, "value": value, "note": note} for what, value, note in overview["cards"]],
    {"what": "Figure", "value": "Value", "note": "Note"},
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Records a day
# MAGIC
# MAGIC Good records by feed. A gap is a day not delivered, a step up or down in one feed alone is more often a change at the source than one of
# MAGIC the people: look at the notebook on quality first.

# COMMAND ----------

lake.draw(overview["figures"].get("records"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## What they use
# MAGIC
# MAGIC Share of the newest month's users who used a service at all. Calls to the hotline and to complaint lines are services too: they tell who
# MAGIC is unhappy.

# COMMAND ----------

known = lake.people(MONTHLY, ITEMS, SUBSCRIBERS)
lake.draw(people.services(known.get("services"), lake.least))

# COMMAND ----------

# MAGIC %md
# MAGIC ## When they call
# MAGIC
# MAGIC Calls made in the newest month, weekdays by hours of the city. Whose hours are like whose is also evidence that two numbers are one person.

# COMMAND ----------

lake.draw(people.hours(known.get("hours"), "calls"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## When they write
# MAGIC
# MAGIC SMS sent, in the same way. Evenings and weekends are private; office hours are the firms'.

# COMMAND ----------

lake.draw(people.hours(known.get("hours"), "SMS"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## With how many
# MAGIC
# MAGIC Users by the number of different people they met in the month, by call or message. Circles of fewer than three say too little to
# MAGIC recognise somebody by.

# COMMAND ----------

lake.draw(people.bars(known.get("people"), "peers", lake.least))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who belongs together
# MAGIC
# MAGIC Users in groups of friends by the group's size. Groups are found on calls and messages among our own users.

# COMMAND ----------

groups = circles(site.groups, site.members, site.spread, lake.least)
lake.draw(groups["figures"].get("sizes"))

# COMMAND ----------

# MAGIC %md
# MAGIC Groups of the newest month: the closer they are (density), the more leaving one may pull others; seed customers reach the rest.

# COMMAND ----------

lake.table(
    groups["rows"],
    {
        "size": "Members",
        "groups": ("Groups", wording.count),
        "users": ("Users", wording.count),
        "density": ("Density", wording.share),
        "out_share": ("Ties that lead out", wording.share),
        "seeds": ("Seed customers", wording.count),
    },
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## How long they have been with us
# MAGIC
# MAGIC New users leave most. A low first bar is few joiners; a low last bar a young network, or old customers lost.

# COMMAND ----------

lake.draw(people.bars(known.get("people"), "tenure", lake.least))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Brands
# MAGIC
# MAGIC Users of each brand, and what one of them uses in a month: fees of records in yuan, minutes called, SMS sent.

# COMMAND ----------

COLUMNS = {
    "value": "Which",
    "users": ("Users", wording.count),
    "share": ("Share", wording.share),
    "fee": ("Fees, yuan", wording.number),
    "minutes": ("Minutes called", wording.number),
    "messages": ("SMS sent", wording.number),
}
lake.table(people.people(known.get("people"), "brand", lake.least), COLUMNS)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Plans
# MAGIC
# MAGIC The plans of most users. A plan whose users call much and pay little is either good value or a leak.

# COMMAND ----------

lake.table(people.people(known.get("people"), "plan_id", lake.least), COLUMNS)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Dealers
# MAGIC
# MAGIC Who sold the cards that are in use. Which dealers bring customers back under new numbers is told in the notebook on re-entry.

# COMMAND ----------

lake.table(people.people(known.get("people"), "dealer", lake.least), COLUMNS)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Channels and ages
# MAGIC
# MAGIC Where users joined, and how old they are where the operator knows it.

# COMMAND ----------

lake.table(people.people(known.get("people"), "channel", lake.least), COLUMNS)

# COMMAND ----------

lake.table(people.people(known.get("people"), "age", lake.least), COLUMNS)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who left
# MAGIC
# MAGIC Confirmed leavings by month, those of them who are back under a new number apart. The last months are not complete: silence takes weeks
# MAGIC to mean leaving.

# COMMAND ----------

lake.draw(overview["figures"].get("leaky"))
