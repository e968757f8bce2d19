"""What is shown of a reply that is written beside its text: what it waits for, and its passages. Draws nothing."""

from collections.abc import Sequence

from blocks import Blocks, thought_block
from conversations.replies import Reply, describe_wait, watch
from conversations.store import Message, State, Store
from documents.alignment import used_numbers, written_markers
from documents.source import Source, sources_of


def given_passages(store: Store, message_id: int, reply: Reply | None) -> list[Source]:
    """The passages that a growing reply was given, as far as they are known; None stands for another process's."""
    if reply is None:
        return store.sources(message_id)
    given = sources_of(reply.report.passages)
    if not reply.report.whole:
        return given
    used = set(used_numbers(written_markers(reply.text, given)))  # of whole files those that it names so far
    return [source for source in given if source.number in used]


def passage_key(passages: Sequence[Source], reply: Reply | None = None) -> str:
    """What differs where other passages are drawn, or other calls of tools; empty where there are none."""
    calls = f" {reply.calls_over} calls" if reply is not None and reply.calls_over else ""
    return ",".join(str(source.number) for source in passages) + calls


def thought_blocks(message: Message, *, growing: bool = False) -> Blocks:
    """What the model thought before it answered, if it did, as a block above its words."""
    if not message.thinking:
        return ()
    seconds = None if message.thinking_ms is None else message.thinking_ms / 1000
    return (thought_block(message.thinking, seconds, growing=growing),)


def growing_thought(store: Store, message_id: int, reply: Reply | None) -> Blocks:
    """What the model of a growing reply has thought so far, as a block; None stands for another process's reply."""
    if reply is None:
        row = watch.snapshot(store.database, message_id)
        return () if row is None else thought_blocks(row, growing=not row.text)
    thinking = reply.report.thinking
    if thinking.seconds is None:
        return ()
    return (thought_block(thinking.text, thinking.seconds, growing=thinking.ended is None),)


def waiting_text(reply: Reply | None) -> str:
    """What a reply without text is waiting for."""
    if reply is not None and reply.state is State.WAITING:
        return "Waiting for the reply before this one…"
    return describe_wait(reply)
