"""The line under a reply: who answered, what it cost and what cut it short. Knows no page."""

from chains.report import Report
from conversations.replies import reply_metrics
from conversations.store import Message


def format_metrics(of: Message | Report) -> str:
    """Backend, cost, limit and failed tries in one line, as far as they are known."""
    parts = [of.backend or "", *reply_metrics(of)]
    if of.stop_reason == "length":
        parts.append("cut at the longest reply allowed")
    if tries := of.retries if isinstance(of, Message) else len(of.retries):
        parts.append(f"after {tries} failed tries")
    return " · ".join(part for part in parts if part)
