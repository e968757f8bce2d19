"""What a reply cost, in one line: backend, tokens, time to the first token, speed. Knows no page."""

from chains.report import Report
from conversations.store import Message


def figures(of: Message | Report) -> str:
    """As far as they are known."""
    parts = [of.backend or ""]
    if of.completion_tokens is not None:
        about = "" if of.counted else "about "
        parts.append(f"{about}{of.completion_tokens} token{'s' if of.completion_tokens != 1 else ''}")
    if of.ttft_ms is not None:
        parts.append(f"first after {of.ttft_ms / 1000:.2f} s")
    if of.tokens_per_second is not None:
        parts.append(f"{of.tokens_per_second:.0f} tokens/s")
    if of.stop_reason == "length":
        parts.append("cut at the longest reply allowed")
    if tries := of.retries if isinstance(of, Message) else len(of.retries):
        parts.append(f"after {tries} failed tries")
    return " · ".join(part for part in parts if part)
