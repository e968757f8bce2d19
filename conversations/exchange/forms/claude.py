"""What Claude exports: conversations.json, with projects and memories beside it. Knows that form and ours.

A message is a list of blocks: what was said and thought, calls of tools and their results. The text of attachments
stands in the export and is kept in the message, as the model was told it; other files are names.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.branches import Node
from conversations.exchange.draft import Draft, join_parts
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields, is_address, is_empty, storable, to_seconds
from conversations.exchange.form import Form, Source
from conversations.exchange.whole import build_conversation, chain

ROLES = {"human": "user", "user": "user", "assistant": "assistant"}
UNSAID = ("token_budget", "flag")  # blocks that hold no words
NOT_OURS = ("account", "settings", "platform")  # who wrote it, and how it was drawn


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    return "chat_messages" in item


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    written = fields.take("chat_messages")
    if not isinstance(written, list | None):
        raise ExchangeError(f"chat_messages: should be a list ({preview(written)})")
    nodes, last = _nodes([each for each in written or () if isinstance(each, dict)], source)
    project = fields.text("project_uuid") or Fields(fields.object("project")).text("uuid")
    fields.drop(*NOT_OURS)
    return build_conversation(
        nodes,
        fields.text("current_leaf_message_uuid") or last,
        source="claude",
        ids=[fields.text("uuid")],
        title=fields.text("name"),
        created=fields.time("created_at"),
        updated=fields.time("updated_at"),
        pinned=fields.flag("is_starred"),
        extra={**fields.rest(), "project": _project_names(source).get(project) or project},
    )


def _nodes(written: list[dict[str, Any]], source: Source) -> tuple[dict[str, Node], str | None]:
    """The tree; messages that name no parent, as in older exports, stand one below the other."""
    if not any(each.get("parent_message_uuid") for each in written):
        return chain(_draft(each, source) for each in written)
    nodes = {
        str(each.get("uuid") or number): Node(
            str(each.get("parent_message_uuid") or "") or None, [], _draft(each, source).message()
        )
        for number, each in enumerate(written)
    }
    return nodes, next(reversed(nodes), None)


def _draft(value: dict[str, Any], source: Source) -> Draft:
    fields = Fields(value)
    sender = fields.text("sender", "role")
    draft = Draft(ROLES.get(sender, "tool"), fields.time("created_at"), fields.text("model") or None)
    blocks, text = [each for each in fields.items("content") if isinstance(each, dict)], fields.text("text")
    for block in blocks:
        _add_block(draft, Fields(block), source)
    if not any(block.get("type") in ("text", "voice_note") for block in blocks):
        draft.say(text)
    draft.count(thinking_ms=sum(map(_milliseconds, blocks)) or None)
    for attachment in (Fields(each) for each in fields.items("attachments")):
        draft.attach_text(attachment.text("file_name") or "pasted text", attachment.text("extracted_content"))
    _add_files(draft, fields, source)
    rating = Fields(fields.object("chat_feedback"))
    _rate(draft, rating)
    if sender not in ROLES:
        draft.keep({"sender": sender})
    fields.drop("uuid", "parent_message_uuid", "updated_at", "index", "input_mode")
    draft.keep(fields.rest())
    return draft


def _add_block(draft: Draft, block: Fields, source: Source) -> None:
    kind = block.text("type")
    if kind in {"text", "voice_note"}:
        draft.say(block.text("text"))
        references = [cited for each in block.items("citations") if (cited := _reference(Fields(each)))]
        known = draft.beside.get("references", [])
        new = [each for each in references if each not in known]
        if new:
            draft.beside["references"] = [*known, *new]
    elif kind == "thinking":
        draft.think(block.text("thinking") or _summaries(block))
    elif kind == "tool_use":
        draft.call(block.text("id"), block.text("name"), block.take("input"))
    elif kind == "tool_result":
        content = block.take("content")
        parts = content if isinstance(content, list) else [content]
        pictures = [part for part in parts if isinstance(part, dict) and part.get("type") == "image"]
        source.lose("pictures of tools", len(pictures))
        result = join_parts(part for part in parts if part not in pictures)
        if not draft.answer(block.text("tool_use_id"), result, block.flag("is_error")):
            draft.beside.setdefault("results", []).append(storable(result))
    elif kind not in UNSAID and (rest := block.rest()):
        draft.beside.setdefault("content", []).append({"type": kind, **rest})


def _summaries(block: Fields) -> str:
    return "\n\n".join(Fields(each).text("summary") for each in block.items("summaries"))


def _reference(citation: Fields) -> dict[str, str] | None:
    details = Fields(citation.object("details"))
    url = details.text("url") or citation.text("url")
    return {"title": citation.text("title") or details.text("title") or url, "url": url} if is_address(url) else None


def _milliseconds(block: Mapping[str, Any]) -> float:
    """How long a block of thinking took."""
    begun, ended = to_seconds(block.get("start_timestamp")), to_seconds(block.get("stop_timestamp"))
    is_told = block.get("type") == "thinking" and begun is not None and ended is not None
    return max(0.0, (ended or 0.0) - (begun or 0.0)) * 1000 if is_told else 0.0


def _add_files(draft: Draft, fields: Fields, source: Source) -> None:
    """Files and pictures, of which the export has the names alone."""
    listed = [each for name in ("files", "files_v2") for each in _objects(fields, name)]
    for file in {str(each.get("file_uuid") or each.get("file_name")): Fields(each) for each in listed}.values():
        kind = "image" if file.text("file_kind") == "image" else "file"
        name = file.text("file_name")
        attach(draft, source, kind, name, members=(file.text("file_uuid", "uuid"), name))


def _objects(fields: Fields, name: str) -> list[dict[str, Any]]:
    return [each for each in fields.items(name) if isinstance(each, dict)]


def _rate(draft: Draft, rating: Fields) -> None:
    value = {"upvote": 1, "downvote": -1, "flag": -1}.get(rating.text("type"))
    if value is not None:
        created = rating.time("created_at") or draft.created or 0.0
        draft.feedback = {"value": value, "comment": rating.text("reason"), "created": created}


def _projects(source: Source) -> list[Fields]:
    """The projects beside it: a list in one file, or a file each."""
    listed = source.beside.get("projects.json")
    found = [*(listed if isinstance(listed, list) else []), *(v for n, v in source.beside.items() if "projects/" in n)]
    return [Fields(each) for each in found if isinstance(each, dict) and "uuid" in each]


def _project_names(source: Source) -> dict[str, str]:
    return {each.text("uuid"): each.text("name") for each in _projects(source)}


def beside(source: Source) -> Iterator[dict[str, Any]]:
    """A conversation for each project that has instructions or documents, and one of what Claude remembers."""
    for project in _projects(source):
        if (made := _of_project(project))["messages"] or made["system"]:
            yield made
    memories = source.beside.get("memories.json")
    drafts = list(_memories(memories if isinstance(memories, list) else [memories], _project_names(source)))
    if drafts:
        yield build_conversation(*chain(drafts), source="claude", title="What Claude remembers")


def _of_project(project: Fields) -> dict[str, Any]:
    drafts = []
    for document in (Fields(each) for each in project.items("docs")):
        draft = Draft("user", document.time("created_at"))
        draft.attach_text(document.text("filename"), document.text("content"))
        drafts.append(draft)
    uuid, name = project.text("uuid"), project.text("name")
    project.drop("creator", "is_private", "is_starter_project")
    return build_conversation(
        *chain(drafts),
        source="claude",
        ids=[uuid],
        title=f"Project: {name or 'unnamed'}",
        created=project.time("created_at"),
        updated=project.time("updated_at"),
        system=[project.text("prompt_template")],
        extra={"project": name, **project.rest()},
    )


def _memories(memories: Iterable[Any], names: Mapping[str, str]) -> Iterator[Draft]:
    for memory in (Fields(each) for each in memories if not is_empty(each)):
        draft = Draft("assistant")
        draft.say(memory.text("conversations_memory"))
        yield draft
        for uuid, text in memory.object("project_memories").items():
            draft = Draft("assistant")
            draft.say(f"**Project {names.get(uuid) or uuid}**")
            draft.say(text)
            yield draft


FORM = Form("Claude", recognizes, convert, beside=beside)
