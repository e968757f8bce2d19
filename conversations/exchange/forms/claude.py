"""What Claude exports: conversations.json, with projects and memories beside it. Knows that form and ours.

A message is a list of blocks: what was said and thought, calls of tools and their results. The text of attachments
stands in the export and is kept in the message, as the model was told it; other files are names.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.branches import Node, unused_name
from conversations.exchange.draft import Draft, join_parts
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields, is_address, to_seconds
from conversations.exchange.folder import Folder, make_folder
from conversations.exchange.form import Form, Source
from conversations.exchange.whole import build_conversation, chain

ROLES = {"human": "user", "user": "user", "assistant": "assistant"}
UNSAID = ("token_budget", "flag")  # blocks that hold no words
BETWEEN = "\n\n"  # two texts
EVERYWHERE, MEMORY = "", "memories"  # where what it remembers holds in no project; the project which that becomes
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
    uuid = fields.text("project_uuid") or Fields(fields.object("project")).text("uuid")
    folder = _folders(source).get(uuid)
    fields.drop(*NOT_OURS)
    made = build_conversation(
        nodes,
        fields.text("current_leaf_message_uuid") or last,
        source="claude",
        ids=[fields.text("uuid")],
        title=fields.text("name"),
        created=fields.time("created_at"),
        updated=fields.time("updated_at"),
        pinned=fields.flag("is_starred"),
        extra={**fields.rest(), "project": folder.project["name"] if folder else uuid},
    )
    if folder is not None:
        folder.members.append(made["id"])
    return made


def _nodes(written: list[dict[str, Any]], source: Source) -> tuple[dict[str, Node], str | None]:
    """The tree; messages that name no parent, as in older exports, stand one below the other."""
    if not any(each.get("parent_message_uuid") for each in written):
        return chain(_draft(each, source) for each in written)
    nodes: dict[str, Node] = {}
    for number, each in enumerate(written):
        parent = str(each.get("parent_message_uuid") or "") or None
        name = unused_name(str(each.get("uuid") or number), nodes)
        nodes[name] = Node(parent, [], _draft(each, source).message())
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
        draft.answer(block.text("tool_use_id"), result, block.flag("is_error"))
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


def beside(source: Source) -> Iterator[dict[str, Any]]:
    """Take in the projects, and what Claude remembers; none of it is a conversation."""
    _folders(source)
    return iter(())


def _folders(source: Source) -> dict[str, Folder]:
    """The projects by their ids, which stand in one list or in a file each; what Claude remembers is one more."""
    if source.folders:
        return source.folders
    listed = source.beside.get("projects.json")
    found = [*(listed if isinstance(listed, list) else []), *(v for n, v in source.beside.items() if "projects/" in n)]
    remembered = _memories(source.beside.get("memories.json"))
    for project in (Fields(each) for each in found if isinstance(each, dict)):
        if uuid := project.text("uuid"):
            source.folders[uuid] = _folder(project, remembered.pop(uuid, ""), source)
    about = remembered.pop(EVERYWHERE, "")
    others = {f"project {uuid}.md": text for uuid, text in remembered.items()}
    source.folders[MEMORY] = make_folder("What Claude remembers", source.lose, about, others)
    return source.folders


def _folder(project: Fields, memory: str, source: Source) -> Folder:
    documents = dict[str, str]()
    for number, each in enumerate(map(Fields, project.items("docs")), 1):
        name = each.text("filename") or "document"
        documents[f"{number} {name}" if name in documents else name] = each.text("content")
    if memory:
        documents.setdefault("memory.md", memory)
    said = [project.text("description"), project.text("prompt_template")]
    created = project.time("created_at")
    folder = make_folder(project.text("name"), source.lose, BETWEEN.join(filter(None, said)), documents, created)
    project.drop("updated_at", "creator", "is_private", "is_starter_project", "archived_at")
    if names := ", ".join(project.rest()):
        source.lose(f"fields of projects: {names}")
    return folder


def _memories(value: Any) -> dict[str, str]:
    """What Claude remembers, by the project that it holds in."""
    found = dict[str, list[str]]()
    for memory in map(Fields, value if isinstance(value, list) else [value]):
        texts = {EVERYWHERE: memory.take("conversations_memory"), **memory.object("project_memories")}
        for uuid, text in texts.items():
            if isinstance(text, str) and text.strip():
                found.setdefault(uuid, []).append(text)
    return {uuid: BETWEEN.join(texts) for uuid, texts in found.items()}


FORM = Form("Claude", recognizes, convert, beside=beside)
