"""Annotations: where an answer from files names their passages, as OpenAI's own client reads them."""

from typing import Any

import pytest
from openai import OpenAI
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from tests.api.openai.conftest import Talk
from tests.loopback import Loopback

TEXT = "The ferry leaves at noon.\n\n" + "It rains in Bergen. " * 40 + "\n\nThe keeper was Ingrid Holm, of Hitra."
QUESTION = "Who was the keeper, and when does the ferry leave?"
ASKED: Any = [{"role": "user", "content": QUESTION}]


@pytest.fixture
def client(talk: Talk, loopback: Loopback) -> OpenAI:
    """OpenAI's own, of a server whose backend is scripted."""
    return talk(LLM_BACKEND="openai")


def keep(client: OpenAI) -> str:
    return client.files.create(file=("notes.txt", TEXT.encode()), purpose="assistants").id


def quoted(annotation: Any) -> Any:
    """What an annotation says."""
    names = ("type", "filename", "number", "by", "start_index", "end_index", "index")
    found = annotation if isinstance(annotation, dict) else annotation.to_dict()
    return {name: found[name] for name in names}


def answers(client: OpenAI, file: str) -> tuple[Any, Any]:
    """The answers of both families to the question about the file."""
    more: Any = {"extra_body": {"files": [file]}}
    chat = client.chat.completions.create(model="default", messages=ASKED, **more)
    return chat, client.responses.create(model="default", input=QUESTION, **more)


def test_markers_of_the_model_are_annotations(client: OpenAI, loopback: Loopback) -> None:
    file = keep(client)
    loopback.reply = "Ingrid Holm [1] . Code `a[1]` and [7] are none."
    chat, response = answers(client, file)
    text = chat.choices[0].message.content
    expected = {
        "type": "file_citation",
        "filename": "notes.txt",
        "number": 1,
        "by": "model",
        "start_index": text.index("[1]"),
        "end_index": text.index("[1]") + 3,
        "index": text.index("[1]") + 3,
    }
    assert [quoted(each) for each in chat.choices[0].message.annotations] == [expected]
    sources = {source["number"]: source for source in chat.model_extra["sources"]}
    assert sources[1]["quote"] in TEXT
    message = response.output[0]
    assert isinstance(message, ResponseOutputMessage)
    part = message.content[0]
    assert isinstance(part, ResponseOutputText)
    assert [quoted(each) for each in part.annotations] == [expected]
    assert part.annotations[0].type == "file_citation"
    assert part.annotations[0].file_id == file
    kept = client.responses.retrieve(response.id)
    assert kept.output[0] == response.output[0]


def test_where_the_model_names_none_the_server_does(client: OpenAI, loopback: Loopback) -> None:
    file = keep(client)
    loopback.reply = "The keeper was Ingrid Holm, of Hitra."
    for answer in answers(client, file):
        annotations = answer.to_dict()
        found = (
            annotations["choices"][0]["message"]["annotations"]
            if "choices" in annotations
            else annotations["output"][0]["content"][0]["annotations"]
        )
        assert [each["by"] for each in found] == ["server"]
        assert "Ingrid Holm, of Hitra" in found[0]["quote"]
        assert found[0]["start_index"] == found[0]["end_index"] == len(loopback.reply)


def test_they_come_at_the_end_of_a_stream(client: OpenAI, loopback: Loopback) -> None:
    file = keep(client)
    loopback.reply = "At noon [1] ."
    more: Any = {"extra_body": {"files": [file]}}
    with client.responses.stream(model="default", input=QUESTION, **more) as stream:
        events = list(stream)
        final = stream.get_final_response()
    added = [event for event in events if event.type == "response.output_text.annotation.added"]
    assert [quoted(event.annotation)["number"] for event in added] == [1]
    output: Any = final.output[0]
    assert [quoted(each) for each in output.content[0].annotations] == [quoted(added[0].annotation)]
    chunks = list(client.chat.completions.create(model="default", messages=ASKED, stream=True, **more))
    told = [chunk.choices[0].delta.to_dict().get("annotations") for chunk in chunks if chunk.choices]
    assert [quoted(each)["by"] for each in told[-1] or []] == ["model"]
    assert not any(told[:-1])


def test_without_files_there_are_none(client: OpenAI, loopback: Loopback) -> None:
    loopback.reply = "At noon [1] ."
    chat = client.chat.completions.create(model="default", messages=ASKED)
    assert "annotations" not in chat.choices[0].message.to_dict()
    response: Any = client.responses.create(model="default", input=QUESTION)
    assert response.output[0].content[0].annotations == []


def test_a_whole_file_is_read_and_what_is_named_of_it_is_told(client: OpenAI, loopback: Loopback) -> None:
    file = keep(client)
    loopback.reply = "It rains [2] ."
    more: Any = {"extra_body": {"files": [file], "whole": True}}
    chat: Any = client.chat.completions.create(model="default", messages=ASKED, **more)
    asked = " ".join(loopback.requests[-1]["messages"][-1]["content"].split())
    assert asked.count("It rains") == 40
    assert all(
        part in asked for part in ("The ferry leaves at noon.", "The keeper was Ingrid Holm, of Hitra.", QUESTION)
    )
    assert [source["number"] for source in chat.model_extra["sources"]] == [2]
    assert [quoted(each)["number"] for each in chat.choices[0].message.annotations] == [2]
    client.responses.create(model="default", input=QUESTION, **more)
    assert " ".join(loopback.requests[-1]["messages"][-1]["content"].split()).count("It rains") == 40


def test_what_is_too_long_to_be_read_whole_says_by_how_much(talk: Talk) -> None:
    with talk() as client:  # the shipped model: 1,024 tokens
        file = client.files.create(file=("rain.txt", b"It rains in Bergen. " * 400), purpose="assistants").id
        more: Any = {"extra_body": {"files": [file], "whole": True}, "max_tokens": 4}
        chat: Any = client.chat.completions.create(
            model="default", messages=[{"role": "user", "content": "Where does it rain?"}], **more
        )
    assert "too long for this model's window of 1,024 to be read whole" in chat.model_extra["notice"]
    assert chat.model_extra["sources"]


def test_a_marker_is_found_behind_what_was_thought_in_the_text(client: OpenAI, loopback: Loopback) -> None:
    file = keep(client)
    loopback.reply, loopback.pause = "Ingrid Holm [1] .", 0.01
    loopback.script.extend(["think 3"] * 2)
    asked: Any = {"model": "default", "messages": ASKED, "extra_body": {"files": [file], "reasoning_format": "none"}}
    message: Any = client.chat.completions.create(**asked).choices[0].message
    deltas: list[Any] = [row.choices[0].delta for row in client.chat.completions.create(**asked, stream=True)]
    streamed = "".join(delta.content or "" for delta in deltas)
    assert streamed == message.content
    assert streamed.startswith("<think>\nthought0 ")
    for (annotation,) in (message.annotations, deltas[-1].annotations):
        place = quoted(annotation)
        assert streamed[place["start_index"] : place["end_index"]] == "[1]"
