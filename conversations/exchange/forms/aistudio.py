"""What Google AI Studio saves: a prompt of chunks, a file each. Knows that form and ours.

A reply is several chunks there: what was thought, the words, code that ran. Files lie in Google Drive, and are names.
"""

from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.draft import Draft, join_parts
from conversations.exchange.fields import Fields
from conversations.exchange.form import Form, Source
from conversations.exchange.markdown import code_block
from conversations.exchange.whole import build_conversation, chain

ROLES = {"user": "user", "model": "assistant", "system": "system"}
FILES = {"driveImage": "image", "driveDocument": "file", "driveVideo": "video", "driveAudio": "audio"}
FILES |= {"inlineImage": "image", "inlineFile": "file", "inlineData": "file", "inlineAudio": "audio"}
FILES |= {"youtubeVideo": "video", "fileData": "file"}
TECHNICAL = (
    "parts",
    "thoughtSignature",
    "thoughtSignatures",
    "thinkingBudget",
    "isEdited",
    "branchChildren",
    "isGeneratedUsingApiKey",
)


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its prompts."""
    return isinstance(item.get("chunkedPrompt"), dict)


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    prompt, settings = Fields(fields.object("chunkedPrompt")), Fields(fields.object("runSettings"))
    model = settings.text("model").removeprefix("models/")
    drafts: list[Draft] = []
    for chunk in (Fields(each) for each in prompt.items("chunks")):
        if _answer(drafts, chunk, source):
            continue
        role = ROLES.get(chunk.text("role"), "tool")
        if not drafts or drafts[-1].role != role:
            drafts.append(Draft(role, chunk.time("createTime"), model or None))
        _add_chunk(drafts[-1], chunk, source)
    instruction = fields.take("systemInstruction")
    parts = Fields(instruction)
    system = parts.text("text") or join_parts(parts.items("parts"))
    return build_conversation(
        *chain(drafts),
        source="ai-studio",
        ids=[fields.text("id")],
        title=fields.text("title", "displayName") or source.title,
        system=[system],
        extra={**fields.rest(), "settings": settings.rest(), "draft": join_parts(prompt.items("pendingInputs"))},
    )


def _answer(drafts: list[Draft], chunk: Fields, source: Source) -> bool:
    """Give what a tool gave to the reply that asked, whoever's it is called; False where the chunk holds no such."""
    answer = Fields(chunk.object("functionResponse"))
    held = answer.take("response")
    if held is None:
        return False
    asked = next((each for each in reversed(drafts) if each.calls), None)
    if asked is None:
        source.lose("results of tools that no reply asked for")
    else:
        asked.answer(answer.text("id"), held)
    return True


def _add_chunk(draft: Draft, chunk: Fields, source: Source) -> None:
    text = chunk.text("text") or join_parts(each for each in chunk.items("parts") if not Fields(each).flag("thought"))
    if chunk.flag("isThought", "thought"):
        draft.think(text)
    else:
        draft.say(text)
    code, result = Fields(chunk.object("executableCode")), Fields(chunk.object("codeExecutionResult"))
    if words := code.text("code"):
        draft.say(code_block(words, code.text("language").lower()))
    if output := result.text("output"):
        draft.say(code_block(output))
    call = Fields(chunk.object("functionCall"))
    if name := call.text("name"):
        draft.call(call.text("id"), name, call.take("args") or {})
    for name, kind in FILES.items():
        held = chunk.take(name)
        if held is not None:
            file = Fields(held)
            attach(draft, source, kind, file.text("name", "id", "fileUri", "mimeType"), held=file.take("data"))
    _add_state(draft, chunk)


def _add_state(draft: Draft, chunk: Fields) -> None:
    """How a reply ended, and how long it was."""
    tokens, reason, error = chunk.take("tokenCount"), chunk.text("finishReason"), chunk.text("errorMessage")
    if draft.role == "assistant" and isinstance(tokens, int):
        draft.count(completion_tokens=tokens + int(draft.measured.get("completion_tokens", 0)))
    if reason and draft.role == "assistant":
        draft.measured["stop_reason"] = reason.lower()
    if error:
        draft.state, draft.error = "failed", error
    chunk.drop(*TECHNICAL, "createTime")
    draft.keep(chunk.rest())


FORM = Form("AI Studio", recognizes, convert)
