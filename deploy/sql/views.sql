-- made by `make docs` from the declarations; do not edit

CREATE SCHEMA IF NOT EXISTS churnlake.analysis;

CREATE OR REPLACE FUNCTION churnlake.analysis.masked(keyed BIGINT) RETURNS BIGINT
COMMENT 'A pseudonym as its readers see it; null to everybody else.'
RETURN CASE WHEN is_account_group_member('churnlake_readers') THEN keyed END;

GRANT USE SCHEMA ON SCHEMA churnlake.analysis TO `churnlake_analysts`;

GRANT SELECT ON SCHEMA churnlake.analysis TO `churnlake_analysts`;

GRANT EXECUTE ON SCHEMA churnlake.analysis TO `churnlake_analysts`;

GRANT USE CATALOG ON CATALOG churnlake TO `churnlake_analysts`;

CREATE OR REPLACE VIEW churnlake.analysis.campaigns_lists
COMMENT 'One row per user put on a retention list: whom to call, why, in which arm.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.campaigns.lists;

CREATE OR REPLACE VIEW churnlake.analysis.churn_bucket
COMMENT 'One row per month and flow of the leaky bucket: who joined in it, and where those who left in it went.'
AS SELECT
  *
FROM churnlake.churn.bucket;

CREATE OR REPLACE VIEW churnlake.analysis.churn_cause_months
COMMENT 'One row per month and cause: whom it made leave, whom of those still with us it may, how grave it is, what mending costs and brings.'
AS SELECT
  *
FROM churnlake.churn.cause_months;

CREATE OR REPLACE VIEW churnlake.analysis.churn_cause_weights
COMMENT 'One row per month, cause and evidence: how many leavers of that cause show it, as learnt from the leavers of the months up to then.'
AS SELECT
  *
FROM churnlake.churn.cause_weights;

CREATE OR REPLACE VIEW churnlake.analysis.churn_causes
COMMENT 'One row per leaver and day the leaving was confirmed: how probable each cause is by the evidence, and the likeliest.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.causes;

CREATE OR REPLACE VIEW churnlake.analysis.churn_cohorts
COMMENT 'One row per joining month, month since and value of a dimension: how many are still active, and what they pay.'
AS SELECT
  *
FROM churnlake.churn.cohorts;

CREATE OR REPLACE VIEW churnlake.analysis.churn_destinations
COMMENT 'One row per user who left: how probably back to us, to the competitor or elsewhere, and by which evidence.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.destinations;

CREATE OR REPLACE VIEW churnlake.analysis.churn_drift
COMMENT 'One row per month scored, target and column: how far it has moved from the months the champion was taught.'
AS SELECT
  *
FROM churnlake.churn.drift;

CREATE OR REPLACE VIEW churnlake.analysis.churn_evidence
COMMENT 'One row per month, cause and evidence for it that anybody can show (all: any of them): users who showed it at the end of the newest month whose outcome is told, and how many of them left.'
AS SELECT
  *
FROM churnlake.churn.evidence;

CREATE OR REPLACE VIEW churnlake.analysis.churn_forecasts
COMMENT 'One row per user active at the month\'s end and without an alarm sign: the chance of each sign within the days to come.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.forecasts;

CREATE OR REPLACE VIEW churnlake.analysis.churn_forecasts_judged
COMMENT 'One row per forecast and day it was made anew: how well it ranked the newest month whose days to come are over, taught with months before.'
AS SELECT
  *
FROM churnlake.churn.forecasts_judged;

CREATE OR REPLACE VIEW churnlake.analysis.churn_hazards
COMMENT 'One row per user active in the month: how likely it leaves for good, or comes back under another number, in each of the next months.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.hazards;

CREATE OR REPLACE VIEW churnlake.analysis.churn_judged
COMMENT 'One row per day known, target and part of the customers tested: how well the chosen learner ranks there, and what it earns.'
AS SELECT
  *
FROM churnlake.churn.judged;

CREATE OR REPLACE VIEW churnlake.analysis.churn_labels
COMMENT 'One row per target and user active in the month, once it is known what became of the user.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.labels;

CREATE OR REPLACE VIEW churnlake.analysis.churn_lead_times
COMMENT 'One row per month: how long before they left the leavers confirmed in it had been in a warning or alarm stage.'
AS SELECT
  *
FROM churnlake.churn.lead_times;

CREATE OR REPLACE VIEW churnlake.analysis.churn_leavings
COMMENT 'One row per user who left and the day that was confirmed.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.leavings;

CREATE OR REPLACE VIEW churnlake.analysis.churn_models
COMMENT 'One row per target, learner fitted and test month: how well it ranks.'
AS SELECT
  *
FROM churnlake.churn.models;

CREATE OR REPLACE VIEW churnlake.analysis.churn_normals
COMMENT 'One row per month and user with records on enough of the days before its end: the user\'s own use a day, and how it varies.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.normals;

CREATE OR REPLACE VIEW churnlake.analysis.churn_scores
COMMENT 'One row per target and user active in the month: the champion\'s forecast.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.scores;

CREATE OR REPLACE VIEW churnlake.analysis.churn_signs
COMMENT 'One row per user, alarm sign and day on which the sign appeared or ended. A user without a row has never shown it.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.signs;

CREATE OR REPLACE VIEW churnlake.analysis.churn_silences
COMMENT 'One row per month, brand and length of silence: of those silent so long, the share who wake again on the same number.'
AS SELECT
  *
FROM churnlake.churn.silences;

CREATE OR REPLACE VIEW churnlake.analysis.churn_stages
COMMENT 'One row per user and day on which the stage of leaving changed. A user without a row has always been healthy.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.churn.stages;

CREATE OR REPLACE VIEW churnlake.analysis.churn_survival
COMMENT 'One row per month told, value of a dimension and tenure: share of joiners who stay longer.'
AS SELECT
  *
FROM churnlake.churn.survival;

CREATE OR REPLACE VIEW churnlake.analysis.churn_transitions
COMMENT 'One row per month, stage at the end of the month before and stage at its end: users with records in either month or not healthy at either end; who had left before is gone.'
AS SELECT
  *
FROM churnlake.churn.transitions;

CREATE OR REPLACE VIEW churnlake.analysis.circles_groups
COMMENT 'One row per month and group of at least three users, each tied to some of the others: a community of the on-net contact graph.'
AS SELECT
  *
FROM churnlake.circles.groups;

CREATE OR REPLACE VIEW churnlake.analysis.circles_members
COMMENT 'One row per month and user that is in a group.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.circles.members;

CREATE OR REPLACE VIEW churnlake.analysis.circles_neighbours
COMMENT 'One row per user active in the month with on-net peers in its circle: how many of them had left, as known at the month\'s end.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.circles.neighbours;

CREATE OR REPLACE VIEW churnlake.analysis.circles_peers
COMMENT 'One row per peer seen in the month: how common it is.'
AS SELECT
  churnlake.analysis.masked(peer_id) AS peer_id,
  * EXCEPT (peer_id)
FROM churnlake.circles.peers;

CREATE OR REPLACE VIEW churnlake.analysis.circles_signatures
COMMENT 'One row per user active in the month and peer among its strongest: the decayed contact circle at the month\'s end.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(peer_id) AS peer_id,
  * EXCEPT (user_id, peer_id)
FROM churnlake.circles.signatures;

CREATE OR REPLACE VIEW churnlake.analysis.circles_weeks
COMMENT 'One row per week, user and peer: how often the two met. Weeks are counted back from each month\'s end, so that none is of two months.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(peer_id) AS peer_id,
  * EXCEPT (user_id, peer_id)
FROM churnlake.circles.weeks;

CREATE OR REPLACE VIEW churnlake.analysis.clean_mms
COMMENT 'One row per multimedia message of a home number.'
AS SELECT
  churnlake.analysis.masked(record_key) AS record_key,
  churnlake.analysis.masked(number_key) AS number_key,
  churnlake.analysis.masked(peer_key) AS peer_key,
  * EXCEPT (record_key, number_key, peer_key, raw_text)
FROM churnlake.clean.mms
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.clean_mms_ledger
COMMENT 'One row per row that came in for clean.mms: whether it is good, why not, and its file.'
AS SELECT
  batch,
  day,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.clean.mms;

CREATE OR REPLACE VIEW churnlake.analysis.clean_sms
COMMENT 'One row per short message of a home number.'
AS SELECT
  churnlake.analysis.masked(record_key) AS record_key,
  churnlake.analysis.masked(number_key) AS number_key,
  churnlake.analysis.masked(peer_key) AS peer_key,
  * EXCEPT (record_key, number_key, peer_key, raw_text)
FROM churnlake.clean.sms
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.clean_sms_ledger
COMMENT 'One row per row that came in for clean.sms: whether it is good, why not, and its file.'
AS SELECT
  batch,
  day,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.clean.sms;

CREATE OR REPLACE VIEW churnlake.analysis.clean_voice
COMMENT 'One row per voice call of a home number.'
AS SELECT
  churnlake.analysis.masked(record_key) AS record_key,
  churnlake.analysis.masked(number_key) AS number_key,
  churnlake.analysis.masked(peer_key) AS peer_key,
  churnlake.analysis.masked(imei_key) AS imei_key,
  churnlake.analysis.masked(forwarded_key) AS forwarded_key,
  * EXCEPT (record_key, number_key, peer_key, imei_key, forwarded_key, raw_text)
FROM churnlake.clean.voice
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.clean_voice_ledger
COMMENT 'One row per row that came in for clean.voice: whether it is good, why not, and its file.'
AS SELECT
  batch,
  day,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.clean.voice;

CREATE OR REPLACE VIEW churnlake.analysis.clean_wap
COMMENT 'One row per WAP session of a home number.'
AS SELECT
  churnlake.analysis.masked(record_key) AS record_key,
  churnlake.analysis.masked(number_key) AS number_key,
  * EXCEPT (record_key, number_key, raw_text)
FROM churnlake.clean.wap
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.clean_wap_ledger
COMMENT 'One row per row that came in for clean.wap: whether it is good, why not, and its file.'
AS SELECT
  batch,
  day,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.clean.wap;

CREATE OR REPLACE VIEW churnlake.analysis.daily_devices
COMMENT 'One row per user, day and handset.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(imei_key) AS imei_key,
  * EXCEPT (user_id, imei_key)
FROM churnlake.daily.devices;

CREATE OR REPLACE VIEW churnlake.analysis.daily_edges
COMMENT 'One row per user, day and peer; service numbers and withheld peers are left out.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(peer_id) AS peer_id,
  * EXCEPT (user_id, peer_id)
FROM churnlake.daily.edges;

CREATE OR REPLACE VIEW churnlake.analysis.daily_forwards
COMMENT 'One row per user, day and number that calls to the user were sent on to.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(peer_id) AS peer_id,
  * EXCEPT (user_id, peer_id)
FROM churnlake.daily.forwards;

CREATE OR REPLACE VIEW churnlake.analysis.daily_places
COMMENT 'One row per user, day and cell.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.daily.places;

CREATE OR REPLACE VIEW churnlake.analysis.daily_usage
COMMENT 'One row per user and day with at least one record: additive counts and sums.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.daily.usage;

CREATE OR REPLACE VIEW churnlake.analysis.features_abnormal
COMMENT 'One row per month and kind of abnormal user: how many of the month\'s users are of that kind. A user may be of several.'
AS SELECT
  *
FROM churnlake.features.abnormal;

CREATE OR REPLACE VIEW churnlake.analysis.features_declines
COMMENT 'One row per month and user with an own event in the quarter before its end: whether its own use has fallen, beside what chance makes of so few events.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.features.declines;

CREATE OR REPLACE VIEW churnlake.analysis.features_items
COMMENT 'One row per user with a record in the month: the items of data-service mining beyond the ten views, from facts known by the month\'s end.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.features.items;

CREATE OR REPLACE VIEW churnlake.analysis.features_monthly
COMMENT 'One row per user with a record in the month: every indicator of the ten views, from facts known by the month\'s end.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.features.monthly;

CREATE OR REPLACE VIEW churnlake.analysis.features_outliers
COMMENT 'One row per month and view: users of the month\'s sample with extreme values, most extreme in an indicator of this view.'
AS SELECT
  *
FROM churnlake.features.outliers;

CREATE OR REPLACE VIEW churnlake.analysis.features_selection
COMMENT 'One row per month and indicator of features.monthly: its profile on a sample of the month\'s users, and whether it is selected for models.'
AS SELECT
  *
FROM churnlake.features.selection;

CREATE OR REPLACE VIEW churnlake.analysis.features_stages
COMMENT 'One row per month and user with a record in it: the stage of leaving at the month\'s end and the alarm signs that hold then, as inputs of models.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.features.stages;

CREATE OR REPLACE VIEW churnlake.analysis.quality_checks
COMMENT 'One row per table-level check and day judged.'
AS SELECT
  *
FROM churnlake.quality.checks;

CREATE OR REPLACE VIEW churnlake.analysis.quality_profiles
COMMENT 'One row per day, table and measure: what the table looked like that day. Bands are learnt from these rows, never from records again.'
AS SELECT
  *
FROM churnlake.quality.profiles;

CREATE OR REPLACE VIEW churnlake.analysis.quality_runs
COMMENT 'One row per run of a job and state it reached: open before its first write, then done or failed; and per decision on slices: withheld by a gate, withdrawn by a check, released by a person. The newest row of a slice says whether readers see it.'
AS SELECT
  *
FROM churnlake.quality.runs;

CREATE OR REPLACE VIEW churnlake.analysis.quality_scores
COMMENT 'One row per table, dimension and day judged: share of its checks that hold, errors weighing more.'
AS SELECT
  *
FROM churnlake.quality.scores;

CREATE OR REPLACE VIEW churnlake.analysis.raw_files
COMMENT 'One row per landing file taken in.'
AS SELECT
  *
FROM churnlake.raw.files;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_bonus_reviews
COMMENT 'One row per activation with a joining bonus whose customer the check knows: waiting for a person, or as a person decided.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(reviewer_key) AS reviewer_key,
  * EXCEPT (user_id, reviewer_key)
FROM churnlake.reentry.bonus_reviews;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_bonuses
COMMENT 'One row per month of joining, channel and dealer: joining bonuses paid to customers who had one already.'
AS SELECT
  *
FROM churnlake.reentry.bonuses;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_callbacks
COMMENT 'One row per joiner to be called and asked whether it held a number of ours before: blind, for callers learn neither evidence nor probability.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.reentry.callbacks;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_clawbacks
COMMENT 'One row per joiner and reason to ask a dealer for money back. A list for people to look into: nothing is withheld before a person has.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  * EXCEPT (user_id, old_user_id)
FROM churnlake.reentry.clawbacks;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_counter_reminders
COMMENT 'One row per activation: all the counter sees of the check. No old number, no old user, no evidence, no verdict.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.reentry.counter_reminders;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_feed
COMMENT 'One row per month and joiner found to be a former user, at the final stage: the operator\'s own monthly shape, with what speaks for it.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(number_key) AS number_key,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  churnlake.analysis.masked(old_number_key) AS old_number_key,
  churnlake.analysis.masked(unique_user_id) AS unique_user_id,
  * EXCEPT (user_id, number_key, old_user_id, old_number_key, unique_user_id)
FROM churnlake.reentry.feed;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_fleas
COMMENT 'One row per joiner who hops for bonuses (跳蚤): the newest number of a chain of re-entries, dealers\' own cards left aside.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  churnlake.analysis.masked(first_user_id) AS first_user_id,
  * EXCEPT (user_id, old_user_id, first_user_id)
FROM churnlake.reentry.fleas;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_funnels
COMMENT 'One row per month of joining, dealer or branch, and measure: what became of its joiners, beside the rest of the branch or city.'
AS SELECT
  *
FROM churnlake.reentry.funnels;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_gross_adds
COMMENT 'One row per month of joining, dimension, value of it and part: joiners counted and expected. The parts of a value are its joiners.'
AS SELECT
  *
FROM churnlake.reentry.gross_adds;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_joiners
COMMENT 'One row per joiner and stage: scored, too little evidence, or excluded.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id)
FROM churnlake.reentry.joiners;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_joining_checks
COMMENT 'One row per activation (t0): whether what was shown and said at the counter names a customer of ours; never changed afterwards.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  * EXCEPT (user_id, old_user_id)
FROM churnlake.reentry.joining_checks;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_joining_follow_ups
COMMENT 'One row per activation and stage after the join: what handset (t1) and circle (t2) said by then, beside what the counter was told.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  * EXCEPT (user_id, old_user_id)
FROM churnlake.reentry.joining_follow_ups;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_links
COMMENT 'One row per joiner and stage that is an old user beyond doubt at first look: its friends are looked at again by it.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  * EXCEPT (user_id, old_user_id)
FROM churnlake.reentry.links;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_matches
COMMENT 'One row per joiner and stage found to be a user who left or is leaving: one to one.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  * EXCEPT (user_id, old_user_id)
FROM churnlake.reentry.matches;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_motive_shares
COMMENT 'One row per month and motive: its part of the matches final in the months up to then, by rule and by what a survey\'s answers make of the rules.'
AS SELECT
  *
FROM churnlake.reentry.motive_shares;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_motives
COMMENT 'One row per final match: why the customer took a new number, by rule, and the facts that the rules ask for. A fact is null where nothing tells it.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  * EXCEPT (user_id, old_user_id)
FROM churnlake.reentry.motives;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_net_adds
COMMENT 'One row per month: net adds and churn, as they look and corrected for customers who left one number for another.'
AS SELECT
  *
FROM churnlake.reentry.net_adds;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_pairs
COMMENT 'One row per joiner, stage and old user it could be: what speaks for and against, as known then.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  * EXCEPT (user_id, old_user_id)
FROM churnlake.reentry.pairs;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_parts
COMMENT 'One row per joiner, once its month is told: which part of gross adds it is, how probably, and where it joined.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_user_id) AS old_user_id,
  * EXCEPT (user_id, old_user_id)
FROM churnlake.reentry.parts;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_persons
COMMENT 'One row per user that is one of several numbers of a person.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(person_id) AS person_id,
  * EXCEPT (user_id, person_id)
FROM churnlake.reentry.persons;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_plan_moves
COMMENT 'One row per month of joining, old plan and new plan: who moved by coming back, and what that did to the monthly bill.'
AS SELECT
  *
FROM churnlake.reentry.plan_moves;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_steps
COMMENT 'One row per month of joining, step of seven and measure, with the gate it is held against.'
AS SELECT
  *
FROM churnlake.reentry.steps;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_successors
COMMENT 'One row per leaver whose circle is in touch, since then, with a number of another network that was not there before: likely its new one.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(peer_id) AS peer_id,
  * EXCEPT (user_id, peer_id)
FROM churnlake.reentry.successors;

CREATE OR REPLACE VIEW churnlake.analysis.reentry_weights
COMMENT 'One row per month, stage, kind of evidence and level of it: what it adds to a pair\'s log-odds.'
AS SELECT
  *
FROM churnlake.reentry.weights;

CREATE OR REPLACE VIEW churnlake.analysis.reference_activations
COMMENT 'One row per activation delivered, added micro-batch by micro-batch and seen at once: who joins, and what was shown and said.'
AS SELECT
  churnlake.analysis.masked(line_key) AS line_key,
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(number_key) AS number_key,
  churnlake.analysis.masked(document_key) AS document_key,
  churnlake.analysis.masked(stated_key) AS stated_key,
  * EXCEPT (line_key, user_id, number_key, document_key, stated_key, raw_text)
FROM churnlake.reference.activations
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_activations_ledger
COMMENT 'One row per row that came in for reference.activations: whether it is good, why not, and its file.'
AS SELECT
  delivered_on,
  activated_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.activations;

CREATE OR REPLACE VIEW churnlake.analysis.reference_answers
COMMENT 'One row per question that a market survey asked a user.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(old_number_key) AS old_number_key,
  * EXCEPT (user_id, old_number_key, raw_text)
FROM churnlake.reference.answers
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_answers_ledger
COMMENT 'One row per row that came in for reference.answers: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  asked_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.answers;

CREATE OR REPLACE VIEW churnlake.analysis.reference_bills
COMMENT 'One row per user and billed month.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id, raw_text)
FROM churnlake.reference.bills
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_bills_ledger
COMMENT 'One row per row that came in for reference.bills: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.bills;

CREATE OR REPLACE VIEW churnlake.analysis.reference_cells
COMMENT 'One row per cell and delivery.'
AS SELECT
  * EXCEPT (raw_text)
FROM churnlake.reference.cells
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_cells_ledger
COMMENT 'One row per row that came in for reference.cells: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.cells;

CREATE OR REPLACE VIEW churnlake.analysis.reference_handsets
COMMENT 'One row per TAC and delivery.'
AS SELECT
  * EXCEPT (raw_text)
FROM churnlake.reference.handsets
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_handsets_ledger
COMMENT 'One row per row that came in for reference.handsets: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.handsets;

CREATE OR REPLACE VIEW churnlake.analysis.reference_joining_reviews
COMMENT 'One row per decision of a person on the joining bonus of an activation; the newest holds.'
AS SELECT
  churnlake.analysis.masked(reviewer_key) AS reviewer_key,
  * EXCEPT (reviewer_key, raw_text)
FROM churnlake.reference.joining_reviews
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_joining_reviews_ledger
COMMENT 'One row per row that came in for reference.joining_reviews: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  decided_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.joining_reviews;

CREATE OR REPLACE VIEW churnlake.analysis.reference_lives
COMMENT 'One row per user: the number held and from when to when. A number\'s lives do not overlap.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(number_key) AS number_key,
  * EXCEPT (user_id, number_key)
FROM churnlake.reference.lives;

CREATE OR REPLACE VIEW churnlake.analysis.reference_opt_outs
COMMENT 'One row per choice of a user to be left alone by campaigns and profiles, or no longer; the newest choice holds.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id, raw_text)
FROM churnlake.reference.opt_outs
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_opt_outs_ledger
COMMENT 'One row per row that came in for reference.opt_outs: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  chosen_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.opt_outs;

CREATE OR REPLACE VIEW churnlake.analysis.reference_plans
COMMENT 'One row per tariff plan and delivery.'
AS SELECT
  * EXCEPT (raw_text)
FROM churnlake.reference.plans
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_plans_ledger
COMMENT 'One row per row that came in for reference.plans: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.plans;

CREATE OR REPLACE VIEW churnlake.analysis.reference_recharges
COMMENT 'One row per recharge.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id, raw_text)
FROM churnlake.reference.recharges
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_recharges_ledger
COMMENT 'One row per row that came in for reference.recharges: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  day,
  state,
  reasons,
  file_id
FROM churnlake.reference.recharges;

CREATE OR REPLACE VIEW churnlake.analysis.reference_subscribers
COMMENT 'One row per user and delivery: what was known of the user that day.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  churnlake.analysis.masked(number_key) AS number_key,
  churnlake.analysis.masked(imsi_key) AS imsi_key,
  churnlake.analysis.masked(customer_key) AS customer_key,
  churnlake.analysis.masked(account_key) AS account_key,
  churnlake.analysis.masked(document_key) AS document_key,
  * EXCEPT (user_id, number_key, imsi_key, customer_key, account_key, document_key, raw_text)
FROM churnlake.reference.subscribers
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_subscribers_ledger
COMMENT 'One row per row that came in for reference.subscribers: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.subscribers;

CREATE OR REPLACE VIEW churnlake.analysis.reference_subscriptions
COMMENT 'One row per service taken and delivery: what was known of it that day.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id, raw_text)
FROM churnlake.reference.subscriptions
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_subscriptions_ledger
COMMENT 'One row per row that came in for reference.subscriptions: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.subscriptions;

CREATE OR REPLACE VIEW churnlake.analysis.reference_touches
COMMENT 'One row per user that a campaign assigned, contacted or left alone.'
AS SELECT
  churnlake.analysis.masked(user_id) AS user_id,
  * EXCEPT (user_id, raw_text)
FROM churnlake.reference.touches
WHERE state = 'good';

CREATE OR REPLACE VIEW churnlake.analysis.reference_touches_ledger
COMMENT 'One row per row that came in for reference.touches: whether it is good, why not, and its file.'
AS SELECT
  batch,
  delivered_on,
  assigned_on,
  state,
  reasons,
  file_id
FROM churnlake.reference.touches;
