"""Replies: from a message to the text of its answer, watched and stopped. Knows the chain and the store; no page."""

from conversations.replies import approval, comparison, states, steering, strangers, turn, watch
from conversations.replies.compaction import NOTE, disabled_reason
from conversations.replies.comparison import Comparison
from conversations.replies.generation import (
    document_note,
    excess_note,
    stream_completion,
    stream_messages,
)
from conversations.replies.metrics import end_note, reply_metrics, summary_metrics
from conversations.replies.offered import held_here
from conversations.replies.preload import available_models, is_fetching, preload_model, reload_model
from conversations.replies.relay.notifier import NOTIFY, channel_of
from conversations.replies.reply import Part, Reply, ThinkingPart, describe_wait, listeners, running_replies
from conversations.replies.request import GenerationRequest
from conversations.replies.writer import interrupt_all

__all__ = [
    "NOTE",
    "NOTIFY",
    "Comparison",
    "GenerationRequest",
    "Part",
    "Reply",
    "ThinkingPart",
    "approval",
    "available_models",
    "channel_of",
    "comparison",
    "describe_wait",
    "disabled_reason",
    "document_note",
    "end_note",
    "excess_note",
    "held_here",
    "interrupt_all",
    "is_fetching",
    "listeners",
    "preload_model",
    "reload_model",
    "reply_metrics",
    "running_replies",
    "states",
    "steering",
    "strangers",
    "stream_completion",
    "stream_messages",
    "summary_metrics",
    "turn",
    "watch",
]
