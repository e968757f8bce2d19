"""What lies beside the conversations in ChatGPT's zip: pictures, names of files and projects, and thumbs.

Knows no message.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conversations.exchange.fields import Fields, to_seconds
from documents.pictures.prepare import looks_like_picture

FILE_ID = re.compile(r"file[-_][A-Za-z0-9]{4,}")  # with which a file's name in the zip begins
NAMED = re.compile(r"(?:.*/)?(file[-_][A-Za-z0-9]{4,})-([^/]+)")  # a file in the zip: its id and its name
RATINGS = {"thumbsup": 1, "up": 1, "good": 1, "positive": 1, "thumbsdown": -1, "down": -1, "bad": -1, "negative": -1}


Load = Callable[[str], bytes | None]


@dataclass
class Beside:
    """Names of files by their ids, of projects by theirs, and thumbs by conversation and message; `members` are names
    of files in the zip by their ids, whose bytes `load` gives.
    """

    names: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)
    ratings: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what is in the zip and is not read
    members: dict[str, str] = field(default_factory=dict)
    load: Load = lambda name: None

    @classmethod
    def read(cls, values: Mapping[str, Any], members: Iterable[str], load: Load = lambda name: None) -> "Beside":
        """From the JSON files of a zip by name, the names of all its files, and what gives the bytes of one."""
        listed = list(members)
        beside = cls({match[1]: match[2] for name in listed if (match := NAMED.fullmatch(name))}, load=load)
        for name in listed:
            if match := FILE_ID.match(name.rpartition("/")[2]):
                beside.members.setdefault(match[0], name)
        beside._read_library(values.get("library_files.json"))
        beside._read_names(values.get("conversation_asset_file_names.json"))
        beside._read_projects(values.get("projects.json"))
        beside._read_ratings(values.get("message_feedback.json"))
        chats = Fields(values.get("group_chats.json")).items("chats")
        if chats:
            beside.notes.append(f"group_chats.json beside it has {len(chats)} of several people, which are not read")
        return beside

    def name(self, pointer: str) -> str:
        """A file's name; empty where none is known."""
        return self.names.get(pointer) or self.names.get(pointer.partition(".")[0]) or ""

    def picture(self, pointer: str) -> bytes | None:
        """The bytes of a picture that is in the zip; None of what is none, or not there."""
        match = FILE_ID.match(pointer)
        member = self.members.get(match[0]) if match else None
        data = None if member is None else self.load(member)
        return data if data is not None and looks_like_picture(data) else None

    def _read_names(self, value: Any) -> None:
        """A name for each file of the zip, which begins with the file's id."""
        for member, name in value.items() if isinstance(value, dict) else ():
            if isinstance(name, str) and name:
                identity = member.rpartition("/")[2].partition(".")[0]
                self.names[identity] = name
                self.names[re.sub(r"^(file[-_][A-Za-z0-9]+)[-_].*", r"\1", identity)] = name

    def _read_library(self, value: Any) -> None:
        for each in _entries(value):
            identity, name = each.text("file_id", "id"), each.text("file_name", "name")
            if identity and name:
                self.names[identity] = name

    def _read_projects(self, value: Any) -> None:
        for each in _entries(value):
            identity, name = each.text("id", "gizmo_id", "project_id"), each.text("name", "title", "display_name")
            if identity and (name := name or Fields(each.object("display")).text("name")):
                self.projects[identity] = name

    def _read_ratings(self, value: Any) -> None:
        """Thumbs; older files name the message by the thumb's own id."""
        for each in _entries(value):
            conversation, mark = each.text("conversation_id"), each.take("rating")
            value = RATINGS.get(re.sub("[^a-z]", "", str(mark).lower()), mark)
            messages = [name for name in (each.text("message_id"), each.text("id")) if name]
            if conversation and messages and value in (1, -1):
                thumb = {
                    "value": int(value),
                    "comment": _comment(each.take("content")),
                    "created": to_seconds(each.take("create_time")) or 0.0,
                }
                self.ratings.setdefault(conversation, {}).update(dict.fromkeys(messages, thumb))


def _entries(value: Any) -> list[Fields]:
    """The objects of a list, wherever in the file's object it stands."""
    if isinstance(value, dict):
        value = next((each for each in value.values() if isinstance(each, list)), [])
    return [Fields(each) for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _comment(content: Any) -> str:
    """The words of a thumb: its text and its tags, which stand in JSON inside the JSON."""
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except (ValueError, RecursionError):
            return str(content).strip()
    fields = Fields(content)
    tags = [tag for tag in fields.items("tags") if isinstance(tag, str)]
    return "\n".join(part for part in (fields.text("text", "comment"), ", ".join(tags)) if part)
