"""Charts as plotly gets them."""

import datetime as dt

import pandas as pd

from churnlake.site import charts


def test_months_of_a_bar_chart_are_words() -> None:
    frame = pd.DataFrame({"month": [dt.date(2005, 6, 1), dt.date(2005, 1, 1)], "users": [3, 4], "kind": "full"})
    figure = charts.stacked(frame, "month", "users", "kind")
    assert figure["data"][0]["x"] == ["Jan 2005", "Jun 2005"]
    assert figure["layout"]["xaxis"]["type"] == "category"
    assert figure["layout"]["xaxis"]["showgrid"] is False
    assert "type" not in charts.stacked(frame.assign(month=[0.1, 0.2]), "month", "users", "kind")["layout"]["xaxis"]
