"""The page Insights: charts of the owner's conversations, each with its figures as a table. No SQL here."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any, NamedTuple

import streamlit as st

from conversations.store import Period, Statistics, collect_statistics
from page.session.context import draw_title, load_context
from page.session.markdown import escape_markdown

PERIODS: dict[str, int | None] = {"7 days": 7, "30 days": 30, "90 days": 90, "All": None}
COLOURS = ("#4a7fc1", "#e39b4b", "#58a68c", "#b8637f", "#8c7cc9", "#8d939c")
OPINION_COLOURS = {"won": COLOURS[0], "liked": COLOURS[2], "disliked": COLOURS[3]}
LEAST_DAYS = 7  # on the axis of a chart by day
AUTOSIZE = {"type": "fit-x", "contains": "padding"}  # the height is the bars' own, axis and legend come on top
ROLE_NAMES = {"user": "yours", "assistant": "replies"}
Spec = dict[str, Any]  # of Vega-Lite, which Streamlit brings along
Rows = list[dict[str, Any]]  # their first number is what is drawn


class Chart(NamedTuple):
    """A chart: `rows` are its table too, `spec` makes Vega-Lite of them, `empty_text` stands where there are none."""

    title: str
    caption: str
    rows: Rows
    spec: Callable[[Rows], Spec]
    empty_text: str = "Nothing in this period."


def draw() -> None:
    """Draw the page: the figures and charts of one owner's replies in a period."""
    context = load_context()
    draw_title("Insights", wide=True)
    period = st.segmented_control(
        "Period",
        list(PERIODS),
        default="30 days",
        required=True,
        key="period",
        persist_state="session",
        label_visibility="collapsed",
    )
    ahead = -60.0 * (st.context.timezone_offset or 0)  # the browser counts minutes behind UTC
    statistics = collect_statistics(context.store, Period(PERIODS[period], ahead))
    if not statistics.messages:
        st.info(
            "Nothing was said in this period. Write a message in Chat, and its figures appear here.",
            icon=":material/insights:",
        )
        return
    _draw_totals(statistics)
    drawn = build_charts(statistics)
    for left, right in zip(drawn[::2], drawn[1::2], strict=True):
        for column, chart in zip(st.columns(2), (left, right), strict=True):
            with column:
                _draw_chart(chart)
    _draw_tools(statistics)


def _draw_tools(statistics: Statistics) -> None:
    """Draw how often each tool was called, how that ended, and how long it took."""
    if not statistics.tools:
        return
    st.subheader("Tools")
    rows = [
        {"tool": use.name, "calls": use.calls, "failed": use.failed, "refused": use.refused, "seconds": use.seconds}
        for use in statistics.tools
    ]
    st.dataframe(rows, hide_index=True, alt="Every tool that was called, how often, how it ended, and its seconds")


def _draw_totals(statistics: Statistics) -> None:
    """Draw the sums over the period."""
    replies = sum(row.messages for row in statistics.messages if row.role == "assistant")
    failed = sum(row.replies for row in statistics.failures)
    with st.container(horizontal=True, key="totals"):
        st.metric("Conversations", f"{statistics.conversations:,}", border=True)
        st.metric("Messages", f"{sum(row.messages for row in statistics.messages):,}", border=True)
        st.metric("Tokens written", f"{sum(row.written for row in statistics.usage):,}", border=True)
        if thought := sum(row.thought for row in statistics.usage):
            st.metric("Of them thought", f"{thought:,}", border=True)
        st.metric("Failed replies", f"{failed / replies:.1%}" if replies else "–", border=True)


def build_charts(statistics: Statistics) -> list[Chart]:
    """The charts of the page, an even number."""
    names = {
        row.backend
        for group in (statistics.usage, statistics.speeds, statistics.failures, statistics.ratings)
        for row in group
    }
    backend = colour_scale("Backend", sorted(names))
    return [
        Chart(
            "Messages a day",
            "what you wrote, and the replies",
            [
                {"Day": row.day, "Messages": row.messages, "Whose": ROLE_NAMES.get(row.role, row.role)}
                for row in statistics.messages
            ],
            partial(daily_spec, "Messages", colour_scale("Whose", ("replies", "yours"), (COLOURS[0], COLOURS[-1]))),
        ),
        Chart(
            "Tokens a day",
            "written by each backend",
            [
                {"Day": row.day, "Tokens written": row.written, "Backend": row.backend, "Tokens read": row.read}
                for row in statistics.usage
            ],
            partial(daily_spec, "Tokens written", backend),
        ),
        Chart(
            "Time to first token",
            "median seconds, shorter is better",
            [
                {"Backend": row.backend, "Seconds": round(row.ttft_ms / 1000, 3), "Replies": row.replies}
                for row in statistics.speeds
                if row.ttft_ms is not None
            ],
            partial(bar_spec, "Backend", "Seconds", backend),
        ),
        Chart(
            "Speed",
            "median tokens a second after the first, longer is better",
            [
                {"Backend": row.backend, "Tokens a second": round(row.tokens_per_second, 1), "Replies": row.replies}
                for row in statistics.speeds
                if row.tokens_per_second is not None
            ],
            partial(bar_spec, "Backend", "Tokens a second", backend),
        ),
        *_thinking_charts(statistics, backend),
        Chart(
            "Failures",
            "replies that ended in an error, by kind",
            [{"Kind": row.kind, "Replies": row.replies, "Backend": row.backend} for row in statistics.failures],
            partial(bar_spec, "Kind", "Replies", backend),
            "No reply failed in this period.",
        ),
        Chart(
            "Feedback",
            "thumbs in Chat, and comparisons won in Compare",
            [
                {"Backend": row.backend, "Times": times, "What": what}
                for row in statistics.ratings
                for what, times in zip(OPINION_COLOURS, (row.votes, row.up, row.down), strict=True)
                if times
            ],
            partial(
                bar_spec,
                "Backend",
                "Times",
                colour_scale("What", tuple(OPINION_COLOURS), tuple(OPINION_COLOURS.values())),
            ),
            "No thumbs and no votes in this period.",
        ),
    ]


def _thinking_charts(statistics: Statistics, backend: Spec) -> list[Chart]:
    """The two charts of what was thought; none where nothing was."""
    days = [
        {
            "Day": row.day,
            "Tokens thought": row.thought,
            "Backend": row.backend,
            "Seconds": round(row.thought_seconds, 1),
        }
        for row in statistics.usage
        if row.thought or row.thought_seconds
    ]
    medians = [
        {"Backend": row.backend, "Seconds": round(row.thinking_ms / 1000, 3)}
        for row in statistics.speeds
        if row.thinking_ms is not None
    ]
    if not days:
        return []
    daily, bars = partial(daily_spec, "Tokens thought", backend), partial(bar_spec, "Backend", "Seconds", backend)
    return [
        Chart("Thinking a day", "tokens before the answer, among those written", days, daily),
        Chart("Time to think", "median seconds, of replies that thought", medians, bars),
    ]


def _draw_chart(chart: Chart) -> None:
    """Draw a chart, or why there is none, and its rows as a table for whoever cannot see it."""
    with st.container(border=True, height="stretch"):
        st.subheader(chart.title, anchor=False)
        st.caption(chart.caption)
        if not chart.rows:
            st.markdown(chart.empty_text)
            return
        st.vega_lite_chart(chart.rows, chart.spec(chart.rows), alt=describe(chart))
        with st.expander("As a table"):
            st.table(
                [
                    {name: escape_markdown(v) if isinstance(v, str) else v for name, v in row.items()}
                    for row in chart.rows
                ]
            )


def colour_scale(field: str, names: Sequence[str], colours: Sequence[str] = COLOURS) -> Spec:
    """The encoding that gives a name one colour in every chart."""
    scale = {"domain": names, "range": [colours[at % len(colours)] for at in range(len(names))]}
    return {
        "field": field,
        "type": "nominal",
        "scale": scale,
        "legend": {"orient": "top", "title": None, "offset": 8, "padding": 0},
    }


def daily_spec(value: str, colour: Spec, rows: Rows) -> Spec:
    """The spec of stacked bars, one for each day; a day is a date, whatever the browser's clock says.

    A bar is as wide as a day of the axis, so that the axis has a week at least.
    """
    first, last = min(row["Day"] for row in rows), max(row["Day"] for row in rows)
    first = min(first, last - timedelta(days=LEAST_DAYS - 1))
    axis = {"grid": False, "format": "%b %-d", "tickCount": min(8, (last - first).days + 1)}
    day = {
        "field": "Day",
        "type": "temporal",
        "timeUnit": "utcyearmonthdate",
        "scale": {"type": "utc", "domain": [_utc(first), _utc(last + timedelta(days=1))]},
        "title": None,
        "axis": axis,
    }
    return {
        "height": 170,
        "autosize": AUTOSIZE,
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "x": day,
            "y": {"field": value, "type": "quantitative", "title": None, "axis": {"tickCount": 5}},
            "color": colour,
        },
    }


def _utc(day: date) -> Spec:
    """The beginning of a day, as Vega-Lite is told it."""
    return {"year": day.year, "month": day.month, "date": day.day, "utc": True}


def bar_spec(name: str, value: str, colour: Spec, rows: Rows) -> Spec:
    """The spec of horizontal bars, one for each name, the longest first."""
    encoding = colour if colour["field"] != name else {**colour, "legend": None}
    length = {"field": value, "type": "quantitative", "title": None, "axis": {"tickCount": 5, "tickMinStep": 0.001}}
    category = {"field": name, "type": "nominal", "title": None, "sort": "-x", "axis": {"labelLimit": 160}}
    return {
        "height": {"step": 32},
        "autosize": AUTOSIZE,
        "mark": {"type": "bar", "tooltip": True, "size": 18},
        "encoding": {"y": category, "x": length, "color": encoding},
    }


def describe(chart: Chart) -> str:
    """The chart in one sentence: sums by what the rows are named after, without the days."""
    sums: dict[str, float] = {}
    for row in chart.rows:
        key = " ".join(str(v) for v in row.values() if isinstance(v, str))
        sums[key] = sums.get(key, 0) + next(v for v in row.values() if isinstance(v, int | float))
    return f"{chart.title}: " + ", ".join(f"{name} {total:,.6g}" for name, total in sums.items()) + "."
