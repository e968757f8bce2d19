"""What a reply cost, in words for people: tokens, time to the first, speed. Knows figures; no page and no screen."""

from chains.report import Report
from conversations.store import Message, Summary, format_count


def reply_metrics(of: Message | Report, with_first_token: bool = True) -> list[str]:
    """Tokens, time to the first token unless it is unwanted, and speed of a reply, as far as they are known."""
    parts = []
    if of.completion_tokens is not None:
        parts.append(("" if of.counted else "about ") + format_count(of.completion_tokens, "token"))
    if of.ttft_ms is not None and with_first_token:
        parts.append(f"first after {of.ttft_ms / 1000:.2f} s")
    if of.tokens_per_second is not None:
        parts.append(f"{of.tokens_per_second:.0f} tokens/s")
    return parts


def summary_metrics(summary: Summary) -> list[str]:
    """Backend, tokens and seconds of the call that wrote a summary, as far as they are known."""
    tokens = f"{summary.prompt_tokens or 0:,} tokens read, {summary.completion_tokens or 0:,} written"
    seconds = "" if summary.duration_ms is None else f"{summary.duration_ms / 1000:.1f} s"
    return [part for part in (summary.backend, tokens, seconds) if part]
