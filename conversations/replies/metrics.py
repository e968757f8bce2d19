"""What a reply cost, in words for people: tokens, time to the first, speed. Knows figures; no page and no screen."""

from chains.report import Report
from conversations.store import STATE_NOTES, Message, State, Summary, format_count

# What people read of a reply that ended inside its thinking, and in no error that says it.
THOUGHT_NOTES = {
    State.STOPPED: "Stopped while it was thinking",
    State.INTERRUPTED: "Interrupted: the program ended while it was thinking",
}


def reply_metrics(of: Message | Report, with_first_token: bool = True) -> list[str]:
    """Tokens, time to the first token unless it is unwanted, and speed of a reply, as far as they are known."""
    parts = []
    if of.completion_tokens is not None:
        parts.append(("" if of.counted else "about ") + format_count(of.completion_tokens, "token"))
    if of.thinking_ms is not None:
        tokens = f", {format_count(of.thinking_tokens, 'token')}" if of.thinking_tokens else ""
        parts.append(f"thought for {of.thinking_ms / 1000:.1f} s{tokens}")
    if of.ttft_ms is not None and with_first_token:
        parts.append(f"first after {of.ttft_ms / 1000:.2f} s")
    if of.tokens_per_second is not None:
        parts.append(f"{of.tokens_per_second:.0f} tokens/s")
    return parts


def end_note(message: Message) -> str | None:
    """How a reply ended that did not end well; None where it did, or where an error says it."""
    state = State(message.state)
    return (THOUGHT_NOTES.get(state) if message.only_thought else None) or STATE_NOTES.get(state)


def summary_metrics(summary: Summary) -> list[str]:
    """Backend, tokens and seconds of the call that wrote a summary, as far as they are known."""
    tokens = f"{summary.prompt_tokens or 0:,} tokens read, {summary.completion_tokens or 0:,} written"
    seconds = "" if summary.duration_ms is None else f"{summary.duration_ms / 1000:.1f} s"
    return [part for part in (summary.backend, tokens, seconds) if part]
