# %% [markdown]
# # Re-entry 重入网
#
# Which of those who join are customers who left, or are leaving, under another number; how we know; how sure that is; what it costs, which
# dealers are behind it, and why customers do it. Users appear by short names made from their pseudonyms. Those who chose to be left alone
# are counted, and shown one by one nowhere.

# %%
from churnlake.explain import parts_drawn, stages_told
from churnlake.notebook import named, open_lake, yes
from churnlake.site import contents, wording
from churnlake.site.control import control
from churnlake.tables.control import CLAWBACKS, FUNNELS, GROSS_ADDS, NET_ADDS, PLAN_MOVES, STEPS
from churnlake.tables.motives import MOTIVE_SHARES
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import OPT_OUTS

lake = open_lake()
lake

# %% [markdown]
# ## Who joined
#
# Joiners by month, each at the latest stage it has reached. *Scored* could be weighed against old users; *too little evidence* met too few
# people so far; *excluded* moved together with others, as when a firm's numbers are all changed.

# %%
site = lake.site(JOINERS, MATCHES, MOTIVE_SHARES, STEPS, GROSS_ADDS, NET_ADDS, PLAN_MOVES, FUNNELS, CLAWBACKS, OPT_OUTS)
reentry, costs = contents.reentry(site), control(site)
lake.draw(reentry["figures"].get("scopes"))

# %% [markdown]
# ## Who of them is back
#
# Matches by month of joining. *Full*: the old number fell to at most a tenth of its use; *partial*: to at most half; *open*: too early to say.

# %%
lake.draw(reentry["figures"].get("kinds"))

# %% [markdown]
# ## How sure
#
# Matches by probability and by what found them: the circle of people called, the handset, or both, each blind to the other. A probability
# is meant as one: of a hundred matches at 0.8 some eighty are right.

# %%
lake.draw(reentry["figures"].get("probabilities"))

# %% [markdown]
# ## How long between
#
# Days from the old number's last use to the new one's first. Left of zero both ran side by side: the old card was used up.

# %%
lake.draw(reentry["figures"].get("gaps"))

# %% [markdown]
# ## The likeliest cases
#
# One row a match, the likeliest first.

# %%
lake.table(
    reentry["cases"],
    {
        "new_user": "New user",
        "old_user": "Old user",
        "joined_on": "Joined",
        "old_last_on": "Old last used",
        "gap_days": "Gap, days",
        "shared_peers": "Shared peers",
        "has_same_imei": ("Same handset", yes),
        "has_same_document": ("Same document", yes),
        "found_by": "Found by",
        "kind": "Kind",
        "probability": ("Probability", wording.number),
    },
)

# %% [markdown]
# ## One pair taken apart
#
# The first of them, stage by stage: how likely by its own evidence alone, and beside all others that either of the two could be. The more
# days, the more is known, and early doubts resolve or a match is taken back.

# %%
case = lake.stages_of_match(reentry["cases"][0]["new_user"]) if reentry["cases"] else []
lake.table(
    stages_told(case),
    {
        "stage": "Stage",
        "known_on": "Known on",
        "peers": "People met",
        "alone": ("Probability alone", wording.number),
        "others": "Others it could be",
        "claims": "Others who could be it",
        "probability": ("Probability", wording.number),
        "reason": "In words",
    },
)

# %% [markdown]
# What each evidence adds: to the right it speaks for one person, to the left against it. The intercept is how unlikely any pair is to begin with.

# %%
lake.draw(parts_drawn(case))

# %% [markdown]
# ## Seven steps
#
# How the newest month that can be told was come by, with the gates it is held against. A gate that cannot be judged is no pass.

# %%
lake.table(
    costs["steps"],
    {"step": "", "name": "Step", "meaning": "What it asks", "state": "Gates", "measures": ("Measures", named("name", "value"))},
)

# %% [markdown]
# ## Gross adds taken apart
#
# What joiners are, by month, as expected by probability. Only the first part is growth.

# %%
lake.draw(costs["figures"].get("parts"))

# %% [markdown]
# ## What it does to churn
#
# Share of users who left: as it looks, and without those who are back under another number, with its 95 % interval.

# %%
lake.draw(costs["figures"].get("churn"))

# %% [markdown]
# ## What it costs
#
# Key figures of the newest month told.

# %%
lake.table(
    [{"what": what, "value": value, "note": note} for what, value, note in costs["cards"]],
    {"what": "Figure", "value": "Value", "note": "Note"},
)

# %% [markdown]
# ## By the old number's bill
#
# Back under a new number, by what the old one paid a month. Much in the high bands: good customers restart to pay less.

# %%
lake.draw(costs["figures"].get("old_arpu"))

# %% [markdown]
# ## Dealers
#
# Share of a dealer's joiners who were customers before, with the 95 % interval. Red stands out from the rest of its branch in some month,
# false discoveries held to 5 %. A wide interval is a small dealer: no verdict.

# %%
lake.draw(costs["figures"].get("dealers"))

# %%
lake.table(
    costs["flagged"],
    {
        "value": "Dealer",
        "what": "Stands out by",
        "joiners": ("Joiners", wording.count),
        "found": ("Found", wording.count),
        "months_flagged": "Months",
        "q_value": ("q", wording.number),
    },
    nothing="No dealer stands out from the rest of its branch.",
)

# %% [markdown]
# ## To ask back
#
# Bonuses paid to customers who had one, and dealers' own cards: a list for people to look into, never to withhold money by.

# %%
lake.table(
    costs["clawbacks"],
    {
        "month": ("Month", wording.month),
        "user": "User",
        "old_user": "Old user",
        "dealer_id": "Dealer",
        "reason": ("Why", wording.words),
        "yuan": ("Bonus", wording.yuan),
        "probability": ("Probability", wording.number),
        "is_dealer_flagged": ("Dealer stands out", yes),
    },
)

# %% [markdown]
# ## Why
#
# Motives of the matches of the last half year, by rule, and weighted by what those say who were asked in a survey. *Preventable* are those
# who did not know that the old number could have stayed: a word at the counter would have kept it.

# %%
lake.draw(reentry["figures"].get("motives"))

# %%
lake.table(
    reentry["why"]["motives"],
    {
        "name": "Motive",
        "matches": ("Matches by rule", wording.count),
        "rule_share": ("Their part", wording.share),
        "answers": ("Said so", wording.count),
        "share": ("Weighted part", wording.share),
        "preventable_share": ("Preventable", wording.share),
    },
)
