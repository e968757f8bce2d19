"""A message of ours that grows part by part: what was said and thought, calls of tools and their results, files.

Knows our form; no foreign one. Several messages that are one reply with its calls become one here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conversations.exchange.branches import Node, children_of, parents_of
from conversations.exchange.fields import is_empty, storable
from conversations.exchange.markdown import code_block

ROLES = {"user", "assistant", "system", "tool"}
MAX_COUNT = 2**31


@dataclass
class Draft:
    """One message but for its place; `beside` is what has no place in our form."""

    role: str
    created: float | None = None
    model: str | None = None
    state: str = "done"
    error: str | None = None
    feedback: dict[str, Any] | None = None
    beside: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)  # fields of ours, such as prompt_tokens
    text: str = ""
    thinking: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[dict[str, Any]] = field(default_factory=list)
    _is_answered: bool = False  # since the last call something came: the next one is a step of its own

    def say(self, text: Any, between: str = "\n\n") -> None:
        """Add words to the text."""
        if isinstance(text, str) and text.strip():
            self.text += between + text if self.text else text
            self._is_answered = True

    def think(self, text: Any, between: str = "\n\n") -> None:
        """Add words to what was thought; somebody else's than a model's are kept beside."""
        if not isinstance(text, str) or not text.strip():
            return
        if self.role != "assistant":
            self.beside.setdefault("thinking", []).append(text)
            return
        self.thinking += between + text.strip("\n") if self.thinking else text.strip("\n")
        self._is_answered = True

    def attach(self, kind: str, name: Any, **details: Any) -> None:
        """Note a file by its name."""
        named = name if isinstance(name, str) and name.strip() else "unnamed"
        self.attachments.append({"kind": kind, "name": named} | {n: v for n, v in details.items() if not is_empty(v)})

    def picture(self, name: Any, data: str) -> None:
        """Add a picture by its base64, behind what was said so far."""
        named = name if isinstance(name, str) and name.strip() else "picture"
        self.pictures.append({"name": named, "data": data} | ({"position": len(self.text)} if self.text else {}))

    def attach_text(self, name: Any, text: Any) -> None:
        """Note a file, and say what stands in it, as a model was told it."""
        self.attach("file", name)
        if isinstance(text, str) and text.strip():
            self.say(f"{self.attachments[-1]['name']}:\n\n{code_block(text)}")

    def call(self, call_id: Any, name: Any, arguments: Any) -> None:
        """Add the call of a tool."""
        step = self.calls[-1]["step"] + self._is_answered if self.calls else 0
        self._is_answered = False
        self.calls.append(
            {
                "step": step,
                "position": len(self.text),
                "thought": len(self.thinking),
                "call_id": call_id if isinstance(call_id, str) and call_id else f"call_{len(self.calls)}",
                "name": name if isinstance(name, str) and name else "unknown",
                "arguments": to_text({} if arguments is None else arguments),
                "result": None,
                "status": "cancelled",
                "asked": None,
            }
        )

    def answer(self, call_id: Any, result: Any, has_failed: bool = False) -> None:
        """Add what came of a call, the first that waits where it names none; what none waits for is kept beside."""
        waiting = [call for call in self.calls if call["result"] is None]
        call = next((each for each in waiting if not call_id or each["call_id"] == call_id), None)
        if call is None:
            self.beside.setdefault("results", []).append(storable(result))
            return
        call |= {"result": to_text(result), "status": "failed" if has_failed else "done"}
        self._is_answered = True

    def waits_for(self, call_id: Any) -> bool:
        """Whether a call of this id has no result yet."""
        return any(call["result"] is None and call["call_id"] == call_id for call in self.calls)

    def count(self, **counts: Any) -> None:
        """Note numbers that are measured, such as tokens, as far as they can be."""
        for name, value in counts.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MAX_COUNT:
                self.measured[name] = int(value) if name.endswith("_tokens") else float(value)
        if any(name.endswith("_tokens") and name != "thinking_tokens" for name in self.measured):
            self.measured["counted"] = True

    def keep(self, fields: Mapping[str, Any]) -> None:
        """Keep what has no place in our form, by its own names."""
        self.beside |= {name: storable(value) for name, value in fields.items() if not is_empty(value)}

    def message(self) -> dict[str, Any] | None:
        """The message in our form but for its place; None where nothing is said in it."""
        beside = dict(self.beside)
        if self.attachments:
            beside["attachments"] = storable(self.attachments)
        text = self.text or "\n".join(f"[{each['kind']}: {each['name']}]" for each in self.attachments)
        calls = self.calls if self.role == "assistant" else []
        if self.calls and not calls:
            beside["calls"] = storable(self.calls)
        if not (text or self.thinking or self.error or calls or self.pictures):
            return None
        is_reply = self.role == "assistant"
        return {
            "role": self.role if self.role in ROLES else "tool",
            "text": text,
            "created": self.created,
            "extra": beside or None,
            "state": self.state,
            "error": self.error,
            "model": self.model or None if is_reply else None,
            "feedback": self.feedback if is_reply else None,
            **({"thinking": self.thinking} if self.thinking else {}),
            **({"calls": calls} if calls else {}),
            **({"pictures": self.pictures} if self.pictures else {}),
            **(self.measured if is_reply else {}),
        }


def to_text(value: Any) -> str:
    """A text as it is, another value as its JSON, an empty one where there is none."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(storable(value), ensure_ascii=False)


def join_parts(parts: Iterable[Any]) -> str:
    """The words of a list of parts with texts, such as a tool's result; a part without any as its JSON."""
    texts = []
    for part in parts:
        words = part.get("text") if isinstance(part, dict) else part
        if isinstance(words, str):
            texts.append(words)
        elif not is_empty(part):
            texts.append(json.dumps(storable(part), ensure_ascii=False))
    return "\n".join(filter(None, texts))


def join_calls(nodes: Mapping[str, Node], answers: Mapping[str, tuple[str, str]]) -> dict[str, Node]:
    """The nodes, each reply with its calls' results and the words after them as one message.

    `answers` are the nodes that are a tool's result: the call's id and the text. What stands in branches stays apart.
    """
    joined, below = dict(nodes), children_of(nodes, parents_of(nodes))
    done = set[str]()
    for at in nodes:
        message = joined[at].message
        if at in done or message is None or message["role"] != "assistant":
            continue
        following = below.get(at, [])
        while len(following) == 1 and _takes(message, joined[following[0]], answers.get(following[0])):
            done.add(following[0])
            joined[following[0]] = Node(nodes[following[0]].parent, nodes[following[0]].children, None)
            following = below.get(following[0], [])
    return joined


def _takes(message: dict[str, Any], node: Node, answer: tuple[str, str] | None) -> bool:
    """Whether a message goes on with a node, which is then in it: with a result, or with what is said after one."""
    calls = message.get("calls", [])
    asked = (c for c in calls if answer and c["result"] is None and answer[0] in {c["call_id"], ""})
    if answer is not None and (call := next(asked, None)) is not None:
        call |= {"result": answer[1], "status": "done"}
        return True
    if node.message is None:
        return True
    if not calls or node.message["role"] != "assistant" or any(call["result"] is None for call in calls):
        return False
    if message["text"] and len(message["text"]) > calls[-1]["position"]:
        return False  # it has said its last word
    _go_on(message, node.message)
    return True


def _go_on(message: dict[str, Any], more: dict[str, Any]) -> None:
    """Add a later message of the same reply."""
    text, thinking = message["text"], message.get("thinking") or ""
    said = f"{text}\n\n{more['text']}" if text and more["text"] else text or more["text"]
    thought = "\n\n".join(filter(None, [thinking, more.get("thinking") or ""]))
    shift = len(said) - len(more["text"])
    step = message["calls"][-1]["step"] + 1
    for call in more.get("calls", []):
        thought_at = len(thought) - len(more.get("thinking") or "") + call["thought"]
        moved = {"step": step + call["step"], "position": shift + call["position"], "thought": thought_at}
        message["calls"].append(call | moved)
    message.setdefault("pictures", []).extend(
        {**each, "position": shift + each.get("position", 0)} for each in more.get("pictures", [])
    )
    message |= {"text": said, "state": more["state"], "error": more["error"] or message["error"]}
    message |= {name: more[name] for name in ("feedback", "model") if more[name]}
    if thought:
        message["thinking"] = thought
    if more["extra"]:
        message["extra"] = {**more["extra"], **(message["extra"] or {})}
