"""The words of the pages, with the Chinese ones of the operator's texts they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """A term: what it is called here, in Chinese where the texts have it, what it means, and the page that shows it."""

    term: str
    chinese: str
    meaning: str
    page: str = ""

    @property
    def anchor(self) -> str:
        """Where it stands on the page."""
        return "".join(sign if sign.isalnum() else "-" for sign in self.term.lower())


WORDS: Mapping[str, tuple[Word, ...]] = {
    "Who is counted": (
        Word("number", "号码", "What is dialled. It may be given to another person later."),
        Word("user", "用户", "One life of a number, from joining to leaving: user_id in the tables.", "dictionary.html"),
        Word("customer", "客户", "The person, known only through re-entry and documents: one customer may be several users."),
        Word("GoTone", "全球通", "Brand: paid after use, high value.", "churn.html"),
        Word("EasyOwn", "神州行", "Brand: paid before use.", "churn.html"),
        Word("M-Zone", "动感地带", "Brand: young people, data services.", "churn.html"),
        Word("Tornado", "龙卷风", "A plan of 15 yuan that many re-entrants join.", "control.html"),
        Word("Local Card B", "本地卡B", "A prepaid yearly plan that many re-entrants join.", "control.html"),
        Word("joining", "入网", "The first own call or message of a user.", "reentry.html"),
    ),
    "Coming back": (
        Word("re-entry", "重入网", "A customer who left, or is leaving, joins again under a new number: -60 to 120 days after the old one's last use, and the old one's use falls to half or less.", "reentry.html"),
        Word("circle", "交往圈", "The people a user calls and writes to; their strengths, fading with time, are its signature.", "circles.html"),
        Word("handset", "手机终端", "The device, known by its IMEI; the first 8 digits (TAC) tell the model.", "reentry.html"),
        Word("full, partial replacement", "", "The old number's outgoing use in days 31 to 60 after the join: at most 10 % of its normal, or 10 to 50 %.", "reentry.html"),
        Word("second number", "一人双号", "A new number beside an old one that goes on: no re-entry.", "control.html"),
        Word("seven steps", "七步法", "Define, scope, by circle, by handset, combine and verify, motives, use and control.", "control.html"),
        Word("four fine, two combined", "四精细，两结合", "Fine identification (circle and IMEI), analysis (system and survey data), marketing (precision, new and existing market) and control (policy and target group).", "control.html"),
        Word("motive", "动因", "Why a customer took a new number: a lost SIM, a nicer number, a bonus, a cheaper plan, debt.", "reentry.html"),
        Word("preventable", "", "A motive times those who did not know that no new number was needed for it.", "reentry.html"),
        Word("flea", "跳蚤用户", "A customer who hops from one joining bonus to the next.", "control.html"),
        Word("card farming", "养卡", "A dealer's own cards, kept in use for their commission.", "control.html"),
        Word("joining check", "入网审核", "A look at the counter whether a joiner is a customer already, and a friendly reminder.", "joining.html"),
        Word("flowing back", "回流", "Leavers who come back to us under another number.", "staying.html"),
    ),
    "Leaving": (
        Word("churn", "流失", "Customers or their money lost. Leaving the network is one kind, paying much less is another: churn is not leaving (流失不等于离网).", "churn.html"),
        Word("leaving the network", "离网", "Cancelled, suspended for long, or silent for as long as its brand's users rarely wake again; told on the day that is confirmed.", "churn.html"),
        Word("being on the network", "在网", "A user with use or fees: cohorts are followed in heads and in revenue.", "staying.html"),
        Word("revenue churn", "话费分流", "Still active, but paying at most half of the own mean: use diverted elsewhere, cheaper, or a service cancelled.", "staying.html"),
        Word("leaky bucket", "桶漏了", "New users pour in while others leave by three holes: back to us, to the competitor, elsewhere.", "staying.html"),
        Word("healthy stage", "健康期", "No sign of leaving, and none likely.", "stages.html"),
        Word("warning stage", "预警期", "No sign yet, but one is likely within 30 to 60 days: time to care.", "stages.html"),
        Word("alarm stage", "告警期", "A sign is seen: calls sent on to the competitor, use fell, its hotline dialled, suspension asked, debt.", "stages.html"),
        Word("two phones", "双机", "A second phone of another network beside ours: one of the four forecasts.", "stages.html"),
        Word("calls sent on", "呼转", "Call forwarding; to a competitor's number it is a sign of leaving.", "stages.html"),
        Word("passive, active churn", "被动流失、主动流失", "Put off for fraud or debt; or gone by own choice.", "stages.html"),
        Word("arrears", "欠费", "Bills not paid in time.", "stages.html"),
        Word("suspension", "停机", "The number is switched off for debt or on request.", "stages.html"),
        Word("care", "关怀", "Contact before a sign is seen; it does more than retention after.", "churn.html"),
        Word("retention", "挽留", "Contact once leaving shows, with an offer.", "churn.html"),
        Word("win-back", "策反", "Winning over customers of the competitor, and those who left."),
        Word("control group", "参照组", "Users listed but left alone, so that what contacting does can be told.", "churn.html"),
        Word("seed customer", "关键客户", "A member of a group of friends whom the others' ties lead to.", "circles.html"),
    ),
    "Foreseeing": (
        Word("indicator", "指标", "A figure of a user and month: use, money, circle, handset, contacts.", "indicators.html"),
        Word("early warning model", "流失预警模型", "A model that ranks the active customers by how likely they leave.", "models.html"),
        Word("decision tree", "决策树", "A learner that asks one question after another.", "models.html"),
        Word("logistic regression", "逻辑回归", "A learner that adds up weights; it tells the reasons of a score.", "models.html"),
        Word("champion, challenger", "", "The version that serves, and the newest one that was not better beyond noise.", "models.html"),
        Word("PR-AUC", "", "Area under precision and recall; knowing nothing gives the base rate.", "models.html"),
        Word("lift", "提升度", "Precision among the likeliest over the base rate.", "models.html"),
        Word("gains", "增益", "Share of the leavers found among so many of the likeliest.", "models.html"),
        Word("calibration", "校准", "Whether of those told 10 % a tenth leaves.", "models.html"),
        Word("drift, PSI", "", "How far a distribution has moved: under 0.1 little, above 0.25 much.", "indicators.html"),
        Word("customer value", "客户价值", "What a customer pays a month, and could pay.", "churn.html"),
    ),
    "Data": (
        Word("call record", "话单", "A charged voice call, SMS (短信), MMS (彩信) or WAP session.", "quality.html"),
        Word("on-net, off-net", "网内、网间", "Between our own numbers; to or from another network."),
        Word("roaming, long distance", "漫游、长途", "Use away from home; calls to another area."),
        Word("data quality", "数据质量", "Every line accounted for, every table scored each day.", "quality.html"),
        Word("quarantine", "", "Rows set aside with their reasons and their encrypted text.", "quality.html"),
        Word("slice", "", "The part of a table that a write replaces whole: a batch, a day, a month."),
        Word("data warehouse", "数据仓库", "All tables and how they are made.", "lineage.html"),
    ),
}  # fmt: skip
