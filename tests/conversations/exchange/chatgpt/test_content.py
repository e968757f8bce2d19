"""Every kind of content keeps its words, and what no word stands for is beside them."""

import json
from typing import Any

import pytest

from conversations.exchange import parse
from tests.conversations.exchange.made import chatgpt

SHOT = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_shot"}
DRAWN = {**SHOT, "metadata": {"dalle": {"prompt": "a red lamp", "seed": 7, "gen_id": None}}}
SPOKEN = {"content_type": "audio_transcription", "text": "good morning", "direction": "in", "decoding_id": None}
REAL_TIME = {
    "content_type": "real_time_user_audio_video_asset_pointer",
    "frames_asset_pointers": [],
    "audio_asset_pointer": {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file_voice"},
}
SEEN = {"video_container_asset_pointer": {"asset_pointer": "sediment://file_seen"}}
RUN = {
    "status": "success",
    "code": "plot(1)",
    "messages": [{"message_type": "image", "image_url": "file-service://file-plot"}],
}


def read(content: Any, role: str = "tool", **metadata: Any) -> dict[str, Any]:
    """The one message of a conversation with this content, as ours."""
    said = {"author": {"role": role, "name": "n"}, "content": content, "metadata": metadata}
    [found] = parse(chatgpt({"a": {"message": said, "parent": None}}), "x")
    message: dict[str, Any] = found["messages"][0]
    assert len(found["messages"]) == 1
    assert message["text"].strip()
    return message


def kind(content_type: str, **fields: Any) -> dict[str, Any]:
    return {"content_type": content_type, **fields}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (kind("text", parts=["one", None, "", "two"]), "one\ntwo"),
        (kind("text", text="alone"), "alone"),
        ("bare", "bare"),
        (["in", "a", "list"], "in\na\nlist"),
        (kind("code", language="python", text="f()"), "```python\nf()\n```"),
        (kind("execution_output", text="5"), "```\n5\n```"),
        (kind("stderr", text="oops"), "```\noops\n```"),
        (kind("citable_code_output", output_str="42", footnotes=[{"title": "note"}]), "```\n42\n```"),
        (kind("tether_browsing_display", result="", summary="what it says"), "what it says"),
        (kind("tether_browsing_display", result="found", summary="in short"), "found\n\nin short"),
        (
            kind("tether_quote", url="https://a.example/q", domain="a.example", text="words", title="Page"),
            "Page\nhttps://a.example/q\n\nwords",
        ),
        (kind("tether_quote", domain="notes.pdf", text="words", title="notes.pdf"), "notes.pdf\n\nwords"),
        (
            kind("sonic_webpage", url="https://a.example", title="T", text="long", snippet="short"),
            "T\nhttps://a.example\n\nshort\n\nlong",
        ),
        (kind("system_error", name="ToolError", text="it broke"), "ToolError: it broke"),
        (
            kind("computer_output", screenshot=SHOT, state={"title": "Shop", "url": "https://s.example"}),
            "Shop\nhttps://s.example",
        ),
        (kind("computer_output", screenshot=SHOT, state=None), "[image: file_shot]"),
        (
            kind("app_pairing_content", shared_prompt="mend it", workspaces=[{"app_name": "Editor", "content": "x"}]),
            "mend it\n\nEditor\nx",
        ),
        (kind("multimodal_text", parts=[SPOKEN, "typed"]), "good morning\ntyped"),
        (kind("multimodal_text", parts=[DRAWN]), "[image: file_shot] a red lamp"),
        (kind("multimodal_text", parts=[REAL_TIME]), "[audio: file_voice]"),
        (kind("multimodal_text", parts=[{**REAL_TIME, "audio_asset_pointer": None, **SEEN}]), "[video: file_seen]"),
        (kind("multimodal_text", parts=[{**SPOKEN, "text": ""}, "typed"]), "typed"),
    ],
)
def test_known_kinds_have_their_words(content: Any, text: str) -> None:
    assert read(content)["text"] == text


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (kind("super_widget", widget={"type": "weather", "text": "rain"}), ["weather", "rain"]),
        (kind("hologram", beams=[1, 2], colour="blue"), ["blue"]),
        (kind("hologram", beams={"deep": {"deeper": "blue"}}), ["blue"]),
        ({"widget": "no kind at all"}, ["no kind at all"]),
        (7, ["7"]),
        (kind("multimodal_text", parts=[{"content_type": "hologram", "colour": "blue"}]), ["blue"]),
        (kind("multimodal_text", parts=[["nested"]]), ["nested"]),
        (kind("text", parts={"not": "a list"}), ["a list"]),
        (kind("code", text=["not", "a text"]), ["a text"]),
        (kind("tether_browsing_display", result="", assets=[{"id": "asset-1"}]), ["asset-1"]),
        (kind("sonic_webpage", ref_id={"turn_index": 3}), ["turn_index"]),
        (kind("computer_output", state={"dom": "<p>"}), ["<p>"]),
    ],
)
def test_what_nobody_knows_is_shown_as_its_json(content: Any, kept: list[str]) -> None:
    message = read(content)
    beside = json.dumps(message["extra"], ensure_ascii=False)
    assert all(word in message["text"] for word in kept)
    assert all(word in beside or content == 7 for word in kept if "multimodal" not in str(content))


@pytest.mark.parametrize(
    ("content", "metadata", "kept"),
    [
        (kind("citable_code_output", output_str="4", footnotes=[{"title": "foot"}]), {}, "foot"),
        (kind("tether_quote", text="w", url="https://p.example", domain="place.example"), {}, "place.example"),
        (kind("multimodal_text", parts=[{"text": "a", "mood": "calm"}]), {}, "calm"),
        (kind("multimodal_text", parts=[DRAWN]), {}, '"seed": 7'),
        (kind("execution_output", text="5"), {"aggregate_result": RUN}, "plot(1)"),
        (kind("text", parts=["ok"]), {"canvas": {"textdoc_id": "1", "title": "My essay"}}, "My essay"),
        (kind("text", parts=["ok"]), {"search_result_groups": [{"domain": "found.example"}]}, "found.example"),
        (kind("text", parts=["ok"]), {"a_new_field": {"of": "tomorrow"}}, "tomorrow"),
        (kind("multimodal_text", parts=[SHOT]), {"image_gen_title": "Harbour"}, "Harbour"),
        (kind("computer_output", state={"title": "t", "dom": "<b>"}), {}, "<b>"),
        (kind("code", text="x", response_format_name="table"), {}, "table"),
    ],
)
def test_what_has_no_word_is_beside(content: Any, metadata: dict[str, Any], kept: str) -> None:
    assert kept in json.dumps(read(content, **metadata)["extra"], ensure_ascii=False)


def test_code_that_said_nothing_is_shown_itself() -> None:
    message = read(kind("execution_output", text=""), aggregate_result=RUN)
    assert message["text"] == "```python\nplot(1)\n```"
    assert message["extra"]["attachments"] == [{"kind": "image", "name": "file-plot"}]
    printed = [{"message_type": "stream", "text": "so far\n"}, {"message_type": "stream", "text": "done"}]
    run = {"messages": printed, "final_expression_output": "42", "in_kernel_exception": {"name": "ValueError"}}
    said = read(kind("execution_output", text=""), aggregate_result=run)["text"]
    assert all(word in said for word in ("so far\ndone", "42", "ValueError"))


def test_a_message_that_says_nothing_is_no_message() -> None:
    empty: tuple[Any, ...] = (
        None,
        "",
        [],
        {},
        kind("text", parts=[""]),
        kind("code", text=""),
        kind("tether_browsing_display"),
    )
    nodes = {str(n): {"message": {"author": {"role": "assistant"}, "content": c}} for n, c in enumerate(empty)}
    said = {"message": {"author": {"role": "user"}, "content": "hi"}, "parent": "3"}
    [found] = parse(chatgpt({**nodes, "said": said}), "x")
    assert [(m["text"], m["parent"]) for m in found["messages"]] == [("hi", None)]


def test_an_unknown_kind_is_no_reply_and_a_known_one_is() -> None:
    assert read(kind("hologram", beams=1), "assistant")["role"] == "tool"
    assert read(kind("text", parts=["a"]), "assistant")["role"] == "assistant"
    assert read(kind("hologram", text="a question"), "user")["role"] == "user"


def test_the_data_of_an_image_is_not_kept() -> None:
    data = "data:image/png;base64," + "A" * 5000
    message = read(kind("hologram", picture=data))
    assert len(json.dumps(message)) < 1000
    assert "data:image/png;base64,…" in message["text"]
