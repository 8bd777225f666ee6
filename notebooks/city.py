# %% [markdown]
# # The city
#
# Who our users are: how many, what they use, when, with whom, on which plan, from which dealer. Every figure is made from published
# tables: days or months that are half written, or that a check withdrew, are not in it. Nobody is shown one by one, and what stands for
# fewer people than `privacy.least_shown` is left out.

# %%
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

# %% [markdown]
# ## In short
#
# Users are numbers in use. A customer who left and came back under a new number is one customer and two users: see the notebook on re-entry.

# %%
site = lake.site(*RECORDS, USAGE, LEAVINGS, JOINERS, MATCHES, GROUPS, MEMBERS, NEIGHBOURS, LABELS)
overview = contents.overview(site)
lake.table(
    [{"what": what, "value": value, "note": note} for what, value, note in overview["cards"]],
    {"what": "Figure", "value": "Value", "note": "Note"},
)

# %% [markdown]
# ## Records a day
#
# Good records by feed. A gap is a day not delivered, a step up or down in one feed alone is more often a change at the source than one of
# the people: look at the notebook on quality first.

# %%
lake.draw(overview["figures"].get("records"))

# %% [markdown]
# ## What they use
#
# Share of the newest month's users who used a service at all. Calls to the hotline and to complaint lines are services too: they tell who
# is unhappy.

# %%
known = lake.people(MONTHLY, ITEMS, SUBSCRIBERS)
lake.draw(people.services(known.get("services"), lake.least))

# %% [markdown]
# ## When they call
#
# Calls made in the newest month, weekdays by hours of the city. Whose hours are like whose is also evidence that two numbers are one person.

# %%
lake.draw(people.hours(known.get("hours"), "calls"))

# %% [markdown]
# ## When they write
#
# SMS sent, in the same way. Evenings and weekends are private; office hours are the firms'.

# %%
lake.draw(people.hours(known.get("hours"), "SMS"))

# %% [markdown]
# ## With how many
#
# Users by the number of different people they met in the month, by call or message. Circles of fewer than three say too little to
# recognise somebody by.

# %%
lake.draw(people.bars(known.get("people"), "peers", lake.least))

# %% [markdown]
# ## Who belongs together
#
# Users in groups of friends by the group's size. Groups are found on calls and messages among our own users.

# %%
groups = circles(site.groups, site.members, site.spread, lake.least)
lake.draw(groups["figures"].get("sizes"))

# %% [markdown]
# Groups of the newest month: the closer they are (density), the more leaving one may pull others; seed customers reach the rest.

# %%
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

# %% [markdown]
# ## How long they have been with us
#
# New users leave most. A low first bar is few joiners; a low last bar a young network, or old customers lost.

# %%
lake.draw(people.bars(known.get("people"), "tenure", lake.least))

# %% [markdown]
# ## Brands
#
# Users of each brand, and what one of them uses in a month: fees of records in yuan, minutes called, SMS sent.

# %%
COLUMNS = {
    "value": "Which",
    "users": ("Users", wording.count),
    "share": ("Share", wording.share),
    "fee": ("Fees, yuan", wording.number),
    "minutes": ("Minutes called", wording.number),
    "messages": ("SMS sent", wording.number),
}
lake.table(people.people(known.get("people"), "brand", lake.least), COLUMNS)

# %% [markdown]
# ## Plans
#
# The plans of most users. A plan whose users call much and pay little is either good value or a leak.

# %%
lake.table(people.people(known.get("people"), "plan_id", lake.least), COLUMNS)

# %% [markdown]
# ## Dealers
#
# Who sold the cards that are in use. Which dealers bring customers back under new numbers is told in the notebook on re-entry.

# %%
lake.table(people.people(known.get("people"), "dealer", lake.least), COLUMNS)

# %% [markdown]
# ## Channels and ages
#
# Where users joined, and how old they are where the operator knows it.

# %%
lake.table(people.people(known.get("people"), "channel", lake.least), COLUMNS)

# %%
lake.table(people.people(known.get("people"), "age", lake.least), COLUMNS)

# %% [markdown]
# ## Who left
#
# Confirmed leavings by month, those of them who are back under a new number apart. The last months are not complete: silence takes weeks
# to mean leaving.

# %%
lake.draw(overview["figures"].get("leaky"))
