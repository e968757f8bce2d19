"""What LM Studio keeps: a file of JSON for each conversation, in its folder `conversations`. Knows that form and ours.

Each message has versions, of which one is selected: the conversation goes on below that one. A reply is a row of steps.
"""

import json
from contextlib import suppress
from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.branches import Node
from conversations.exchange.draft import Draft, join_parts
from conversations.exchange.fields import Fields
from conversations.exchange.form import Form, Source
from conversations.exchange.think import split_thinking
from conversations.exchange.whole import build_conversation

PROMPT = "llm.prediction.systemPrompt"
TECHNICAL = (
    *("tokenCount", "clientInput", "clientInputFiles", "userFilesSizeBytes", "looseFiles", "notes", "plugins"),
    *("pluginConfigs", "disabledPluginTools", "usePerChatPredictionConfig", "userLastMessagedAt"),
)
STATISTICS = {"promptTokensCount": "prompt_tokens", "predictedTokensCount": "completion_tokens"}
STATISTICS |= {"tokensPerSecond": "tokens_per_second"}
SECONDS = {"timeToFirstTokenSec": "ttft_ms", "totalTimeSec": "duration_ms"}


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    written = item.get("messages")
    return isinstance(written, list) and any(isinstance(each, dict) and "versions" in each for each in written)


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    nodes: dict[str, Node] = {}
    last: str | None = None
    for number, message in enumerate(Fields(each) for each in fields.items("messages")):
        selected, above = message.take("currentlySelected"), last
        for version, value in enumerate(message.items("versions")):
            name = f"{number}.{version}"
            nodes[name] = Node(above, [], _draft(Fields(value), source).message())
            if version == selected or last == above:
                last = name
    configuration = Fields(fields.object("perChatPredictionConfig")).items("fields")
    told = [Fields(each) for each in configuration]
    prompts = [each.text("value") for each in told if each.text("key") == PROMPT]
    updated = [time for name in ("userLastMessagedAt", "assistantLastMessagedAt") if (time := fields.time(name))]
    fields.drop(*TECHNICAL)
    return build_conversation(
        nodes,
        last,
        source="lm-studio",
        title=fields.text("name") or source.title,
        created=fields.time("createdAt"),
        updated=max(updated, default=None),
        pinned=fields.flag("pinned"),
        system=[fields.text("systemPrompt"), *prompts],
        extra=fields.rest(),
    )


def _draft(fields: Fields, source: Source) -> Draft:
    role = fields.text("role")
    draft = Draft(role if role in {"user", "assistant", "system"} else "tool")
    sender = Fields(fields.object("senderInfo"))
    draft.model = sender.text("senderName") or None
    _add_content(draft, fields.items("content"), source)
    for step in fields.items("steps"):
        _add_step(draft, Fields(step), source)
    if role == "assistant" and not draft.thinking:
        thought, draft.text = split_thinking(draft.text)
        draft.think(thought)
    fields.drop("type", "preprocessed", "steps", "content")
    draft.keep(fields.rest())
    return draft


def _add_step(draft: Draft, step: Fields, source: Source) -> None:
    kind, style = step.text("type"), Fields(step.object("style"))
    made = Fields(step.object("genInfo"))
    draft.model = draft.model or made.text("identifier", "indexedModelIdentifier") or None
    statistics = made.object("stats")
    counts = {ours: statistics.get(theirs) for theirs, ours in STATISTICS.items()}
    spans = {ours: statistics.get(theirs) for theirs, ours in SECONDS.items()}
    draft.count(**counts, **{n: v * 1000 for n, v in spans.items() if isinstance(v, int | float)})
    if kind == "contentBlock" and style.text("type") == "thinking":
        draft.think(join_parts(step.items("content")))
    elif kind == "contentBlock":
        _add_content(draft, step.items("content"), source)
    elif kind in {"toolCallRequest", "toolCallResult"}:
        _add_content(draft, [step.rest() | {"type": kind}], source)


def _add_content(draft: Draft, content: list[Any], source: Source) -> None:
    """Words, files, calls of tools and their results."""
    for part in (Fields(each) for each in content):
        kind = part.text("type")
        if kind == "text":
            draft.say(part.text("text"))
        elif kind == "file":
            kind, name = "image" if part.text("fileType") == "image" else "file", part.text("fileIdentifier", "name")
            attach(draft, source, kind, name, members=(name,))
        elif kind == "toolCallRequest":
            request = Fields(part.object("toolCallRequest"))
            identity = part.text("toolCallRequestId", "toolCallId", "id") or _told(part)
            name = part.text("name") or request.text("name")
            draft.call(identity, name, part.take("parameters", "arguments") or request.take("arguments") or {})
        elif kind == "toolCallResult":
            result = _result(part.take("content", "result"))
            identity = part.text("toolCallId", "toolCallRequestId") or _told(part)
            draft.answer(identity if draft.waits_for(identity) else "", result)


def _result(content: Any) -> Any:
    """What a tool gave: parts, or their JSON."""
    held = content
    if isinstance(content, str):
        with suppress(ValueError, RecursionError):
            held = json.loads(content)
    return join_parts(held) if isinstance(held, list) else content


def _told(part: Fields) -> str:
    """A call's number as its name."""
    held = part.take("callId")
    return "" if held is None else str(held)


FORM = Form("LM Studio", recognizes, convert)
