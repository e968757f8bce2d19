"""Conversations as lines of `messages`, as chat models are trained on, and as `training.prepare` reads them.

A line is a run of questions with good replies, below the system prompt or the persona. A reply that failed, was cut
short, has a thumb down, or was made from documents or by tools ends a run and is in none: what it was made from is not
in the line. Knows our form only.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from conversations.exchange.shown import branch, is_hidden
from conversations.store.tree import Tree
from prompts.persona import Persona

Messages = Sequence[Mapping[str, Any]]


def jsonl_chunks(conversations: Iterable[Mapping[str, Any]], liked: bool = False) -> Iterator[str]:
    """The text of a file, a dialogue a line; `liked`: only what has a thumb up, on whatever branch."""
    for conversation in conversations:
        for run in _runs(conversation, liked):
            yield json.dumps({"messages": [*_system(conversation), *run]}, ensure_ascii=False) + "\n"


def _system(conversation: Mapping[str, Any]) -> list[dict[str, str]]:
    """The system prompt that the replies were made with, where it was not the usual one."""
    persona = conversation["persona"]
    text = Persona.from_dict(persona).system if persona else conversation["system"]
    return [{"role": "system", "content": text}] if text else []


def _runs(conversation: Mapping[str, Any], liked: bool) -> Iterator[list[dict[str, str]]]:
    """The dialogues of a conversation, none of them the beginning of another."""
    runs = {run: None for path in _paths(conversation, liked) for run in _runs_of(path, liked)}
    beginnings = {run[:end] for run in runs for end in range(1, len(run))}
    messages = conversation["messages"]
    for run in runs:
        if run not in beginnings:
            yield [{"role": messages[number]["role"], "content": messages[number]["text"]} for number in run]


def _paths(conversation: Mapping[str, Any], liked: bool) -> Iterator[Messages]:
    """The shown branch; all branches for thumbs, which may be on any, and of a comparison."""
    messages = conversation["messages"]
    if not liked and conversation["kind"] != "compare":
        yield branch(conversation)
        return
    tree = Tree((message["number"], message["parent"]) for message in messages)
    for leaf in (number for number in tree.parents if number not in tree.children):
        yield [messages[number] for number in tree.path(leaf)]


def _runs_of(path: Messages, liked: bool) -> Iterator[tuple[int, ...]]:
    """The numbers of the messages of each run on a branch."""
    run: list[int] = []
    shown = [message for message in path if not is_hidden(message) and message["role"] in {"user", "assistant"}]
    for question, reply in pairwise(shown):
        if reply["role"] != "assistant":
            continue
        if question["role"] == "user" and question["text"].strip() and _is_good(reply, liked):
            run += [question["number"], reply["number"]]
        elif run:
            yield tuple(run)
            run = []
    if run:
        yield tuple(run)


def _is_good(reply: Mapping[str, Any], liked: bool) -> bool:
    """Whether a model may learn from a reply."""
    thumb = (reply["feedback"] or {}).get("value")
    is_whole = reply["state"] == "done" and reply["stop_reason"] != "length" and bool(reply["text"].strip())
    is_alone = not reply.get("sources") and not reply.get("calls")
    return is_whole and is_alone and thumb != -1 and (thumb == 1 or not liked)
