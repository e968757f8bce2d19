"""Pictures in requests, by OpenAI's own client, on a server whose backend is a scripted one that sees."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError
from PIL import Image
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from conversations.store import connect
from conversations.store.picture_tables import ItemPicture, StoredPicture
from conversations.store.schema import ResponseItem
from documents.pictures.picture import Picture
from tests.api.conftest import Serve
from tests.api.openai.conftest import Talk, official
from tests.asgi import listening
from tests.conftest import free_port
from tests.loopback import Loopback
from tests.pictures import encode, plain
from tests.projectors import make_projector, needs_mtmd
from tests.scripted import Scripted, chat, models, serving

pytestmark = pytest.mark.server  # pictures are unpacked by a process of their own
RED, BLUE = plain(), plain("blue.png", "blue")
WHAT: Any = {"type": "text", "text": "What is this?"}


def wire(each: Picture) -> dict[str, Any]:
    """The picture as a server gets it."""
    return {"type": "image_url", "image_url": {"url": each.data_url}}


def asked(*parts: Any) -> Any:
    return [{"role": "user", "content": list(parts)}]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> Iterator[Scripted]:
    """One that says that its model sees."""
    rows = models("m-1", max_model_len=4096, architecture={"input_modalities": ["text", "image"]})
    with serving({"/v1/models": rows, "/v1/chat/completions": chat("It is red.", (20, 3))}) as scripted:
        monkeypatch.setenv("OPENAI_BASE_URL", scripted.url)
        yield scripted


def seen(server: Scripted) -> Any:
    """What the last person's message held."""
    return [row["content"] for row in server.sent()[-1]["messages"] if row["role"] == "user"][-1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_shows_them_where_they_stand(talk: Talk, server: Scripted, stream: bool) -> None:
    client = talk(LLM_BACKEND="openai")
    near, far = {**wire(RED)["image_url"], "detail": "high"}, wire(BLUE)["image_url"]
    parts = [WHAT, {"type": "image_url", "image_url": near}, WHAT, {"type": "image_url", "image_url": far}]
    made: Any = client.chat.completions.create(model="default", messages=asked(*parts), stream=stream)
    text = "".join(c.choices[0].delta.content or "" for c in made) if stream else made.choices[0].message.content
    assert text == "It is red."
    assert seen(server) == [WHAT, wire(RED), WHAT, wire(BLUE)]


def test_a_photograph_larger_than_a_text_may_be_is_scaled(talk: Talk, server: Scripted) -> None:
    client = talk(LLM_BACKEND="openai", MAX_BODY_BYTES="20000", PICTURES_SIDE="100")
    photo = encode(Image.effect_noise((600, 300), 90).convert("RGB"), "PNG")
    assert len(photo) > 100_000
    shown = {"type": "image_url", "image_url": {"url": Picture("a", "image/png", 600, 300, photo).data_url}}
    client.chat.completions.create(model="default", messages=asked(WHAT, shown))
    sent = seen(server)[1]["image_url"]["url"]
    assert len(sent) < 40_000
    with pytest.raises(Exception, match="longer than 20,000 bytes"):
        client.chat.completions.create(model="default", messages=asked({**WHAT, "text": "x " * 15_000}, shown))


def test_a_response_keeps_them_and_goes_on_from_them(talk: Talk, server: Scripted) -> None:
    client = talk(LLM_BACKEND="openai")
    shown: Any = {"type": "input_image", "detail": "auto", "image_url": RED.data_url}
    given: Any = asked({"type": "input_text", "text": "What is this?"}, shown)
    first = client.responses.create(model="default", input=given)
    assert first.output_text == "It is red."
    assert seen(server) == [WHAT, wire(RED)]
    [item] = client.responses.input_items.list(first.id).data
    assert item.to_dict()["content"] == [{"type": "input_text", "text": "What is this?"}, shown]
    client.responses.create(model="default", input="Sure?", previous_response_id=first.id)
    rows = [row["content"] for row in server.sent()[-1]["messages"] if row["role"] == "user"]
    assert rows == [[WHAT, wire(RED)], "Sure?"]


SHOWN: Any = {"type": "input_image", "detail": "low", "image_url": RED.data_url}
SEEN: Any = asked({"type": "input_text", "text": "What is this?"}, SHOWN, SHOWN)
CALLED: Any = {"type": "function_call", "call_id": "c_1", "name": "look", "arguments": "{}"}
GAVE: Any = {"type": "function_call_output", "call_id": "c_1", "output": [SHOWN]}
OWN: Any = [{"type": "mcp", "server_label": "own", "allowed_tools": ["calculator"]}]


def kept() -> tuple[int, int]:
    """How many pictures the database has, and how many items of responses name one: none holds it."""
    with connect(os.environ["DATABASE_URL"]).reading() as session:
        assert not [item for item in session.scalars(select(ResponseItem.item)) if ";base64," in str(item)]
        pictures, uses = (session.scalar(select(func.count()).select_from(t)) for t in (StoredPicture, ItemPicture))
    return pictures or 0, uses or 0


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_a_picture_is_kept_once_as_long_as_a_response_has_it(database_url: str, talk: Talk, server: Scripted) -> None:
    client = talk(LLM_BACKEND="openai")
    first = client.responses.create(model="default", input=SEEN)
    [item] = client.responses.input_items.list(first.id).data
    called = client.responses.create(model="default", input=[*SEEN, CALLED, GAVE])
    named = client.responses.create(model="default", input=[{"type": "item_reference", "id": str(item.id)}])
    assert seen(server) == [WHAT, wire(RED), wire(RED)]
    with_own = client.responses.create(model="default", input=SEEN, tools=OWN)
    assert kept() == (1, 5), "four questions that show it twice, and a result"
    for each in (first, called, named, with_own):
        assert kept()[0] == 1
        told = client.responses.input_items.list(each.id, order="asc").data
        assert told[0].to_dict()["content"] == SEEN[0]["content"]
        client.responses.create(model="default", input="Sure?", previous_response_id=each.id)
        assert [WHAT, wire(RED), wire(RED)] in [row["content"] for row in server.sent()[-1]["messages"]]
        client.responses.delete(each.id)
    assert kept() == (0, 0)


def test_a_response_with_tools_of_this_server_shows_them_too(talk: Talk, server: Scripted) -> None:
    client = talk(LLM_BACKEND="openai")
    shown: Any = asked({"type": "input_image", "image_url": RED.data_url})
    made = client.responses.create(model="default", input=shown, tools=OWN)
    assert made.output_text == "It is red."
    assert seen(server) == [wire(RED)]


def call(name: str) -> Any:
    return {"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}}


def result(name: str, *parts: Any) -> Any:
    return {"role": "tool", "tool_call_id": name, "content": list(parts)}


def test_what_tools_show_stands_behind_their_results(talk: Talk, server: Scripted) -> None:
    """OpenAI's own server, and most others, read text alone in a tool's message."""
    client = talk(LLM_BACKEND="openai")
    calls: Any = {"role": "assistant", "content": None, "tool_calls": [call("c_1"), call("c_2")]}
    given = [*asked(WHAT), calls, result("c_1", wire(RED)), result("c_2", {**WHAT, "text": "A"}, wire(BLUE))]
    client.chat.completions.create(model="default", messages=given)
    rows = [(row["role"], row["content"]) for row in server.sent()[-1]["messages"]]
    told = [("tool", "[The picture follows.]"), ("tool", "A")]
    assert rows[2:] == [*told, ("user", [wire(RED), wire(BLUE)])]
    client.chat.completions.create(model="default", messages=[*given, {"role": "user", "content": "Sure?"}])
    rows = [(row["role"], row["content"]) for row in server.sent()[-1]["messages"]]
    assert rows[2:] == [*told, ("user", [wire(RED), wire(BLUE), {**WHAT, "text": "Sure?"}])]


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_function_shows_is_kept_and_gone_on_from(talk: Talk, server: Scripted, stream: bool) -> None:
    client = talk(LLM_BACKEND="openai")
    output: Any = [{"type": "input_text", "text": "A"}, SHOWN]
    given: Any = [*asked({"type": "input_text", "text": "Look."}), CALLED, {**GAVE, "output": output}]
    made: Any = client.responses.create(model="default", input=given, stream=stream)
    first = next(each.response for each in made if each.type == "response.completed") if stream else made
    kept = client.responses.input_items.list(first.id).data[0].to_dict()
    assert kept["output"] == output
    client.responses.create(model="default", input="Sure?", previous_response_id=first.id)
    for request in server.sent():
        [at] = [at for at, row in enumerate(request["messages"]) if row["role"] == "tool"]
        assert request["messages"][at]["content"] == "A"
        assert request["messages"][at + 1] == {"role": "user", "content": [wire(RED)]}


def test_a_model_that_cannot_see_is_told_before_anything_is_sent(serve: Serve, server: Scripted) -> None:
    server.answers["/v1/models"] = models("m-1", max_model_len=4096, capabilities={"vision": False})
    client = official(serve(LLM_BACKEND="openai"))
    reads = {"input_modalities": ["text"]}
    assert client.models.retrieve("llamacpp").to_dict()["architecture"] == reads
    for backend in ("default", "llamacpp"):
        with pytest.raises(BadRequestError, match=r"cannot see pictures: .*(text alone|no projector)") as refused:
            client.chat.completions.create(model=backend, messages=asked(WHAT, wire(RED)))
        assert refused.value.status_code == 400
        calls: Any = {"role": "assistant", "content": None, "tool_calls": [call("c_1")]}
        with pytest.raises(BadRequestError, match=r"cannot see pictures: .*(text alone|no projector)"):
            client.chat.completions.create(model=backend, messages=[*asked(WHAT), calls, result("c_1", wire(RED))])
        with pytest.raises(BadRequestError, match=r"cannot see pictures: .*(text alone|no projector)"):
            client.responses.create(model=backend, input=[*asked({"type": "input_text", "text": "?"}), CALLED, GAVE])
    assert server.count("/v1/chat/completions") == 0
    assert client.models.retrieve("default").to_dict()["architecture"] == reads
    client.close()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("data:image/png;base64,AAAA", "picture 1 is binary data"),
        ("data:image/png;base64,", "picture 1 is empty"),
        ("data:image/png;base64,%%%", "picture 1: what stands behind base64, is no base64"),
        ("data:image/svg+xml,<svg/>", "picture 1: its address holds no data as base64"),
        ("https://example.org/a.png", "IMAGE_URLS names no host"),
        ("nonsense", "IMAGE_URLS names no host"),
    ],
)
def test_what_is_no_picture_is_one_line(talk: Talk, loopback: Loopback, address: str, told: str) -> None:
    shown: Any = {"type": "image_url", "image_url": {"url": address}}
    client = talk(LLM_BACKEND="openai")
    with pytest.raises(BadRequestError, match=told) as refused:
        client.chat.completions.create(model="default", messages=asked(WHAT, shown))
    assert refused.value.code == "invalid_file"
    assert loopback.requests == []


def test_pictures_stand_in_users_messages_and_results_and_are_counted(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai", PICTURES_MAX_COUNT="1")
    for role in ("system", "assistant"):
        with pytest.raises(BadRequestError) as refused:
            client.chat.completions.create(model="default", messages=[{"role": role, "content": [wire(RED)]}])  # type: ignore[misc, list-item]
        assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "messages.0.content")
    with pytest.raises(BadRequestError, match="has 2 pictures; at most 1 are taken"):
        client.chat.completions.create(model="default", messages=asked(wire(RED), wire(BLUE)))


@pytest.fixture
def host() -> Iterator[str]:
    """One with a picture, an address that leads to it, and one that leads elsewhere."""

    async def answer(request: Request) -> Response:
        path = request.url.path
        if path == "/moved":
            return RedirectResponse("/red.png")
        if path == "/away":
            return RedirectResponse("http://localhost:1/red.png")
        return Response(RED.data if path == "/red.png" else b"x" * 50_000, media_type="image/png")

    port = free_port()
    with listening(Starlette(routes=[Route("/{path:path}", answer)]), port):
        yield f"127.0.0.1:{port}"


def test_addresses_are_fetched_from_hosts_that_are_allowed(talk: Talk, server: Scripted, host: str) -> None:
    client = talk(LLM_BACKEND="openai", IMAGE_URLS=f"{host},*.localhost", PICTURES_MAX_BYTES="40000")

    def show(address: str) -> None:
        shown: Any = {"type": "image_url", "image_url": {"url": address}}
        client.chat.completions.create(model="default", messages=asked(WHAT, shown))

    for path in ("red.png", "moved"):
        show(f"http://{host}/{path}")
        assert seen(server) == [WHAT, wire(RED)], "as data: nobody else fetches it"
    for address, told in (
        (f"http://{host}/away", "is not among the hosts|leads to a private address"),
        (f"http://{host}/large", r"the picture is larger than 40,000 bytes .PICTURES_MAX_BYTES."),
        ("http://127.0.0.1:9/a.png", "is not among the hosts that may be read .IMAGE_URLS."),
        ("http://some.localhost/a.png", "leads to a private address|there is no such host"),
        ("file:///etc/passwd", "only http and https"),
    ):
        with pytest.raises(BadRequestError, match=told):
            show(address)


def test_a_session_is_shown_pictures_of_a_form(serve: Serve, server: Scripted) -> None:
    client = serve(LLM_BACKEND="openai")
    photo = ("red.png", RED.data, "image/png")
    made = client.post("/predict", data={"text": "What is this?"}, files={"pictures": photo})
    assert made.status_code == 200, made.text
    assert seen(server) == [wire(RED), WHAT]
    client.post("/predict", json={"text": "Sure?", "session_id": made.json()["session_id"]})
    rows = [row["content"] for row in server.sent()[-1]["messages"] if row["role"] == "user"]
    assert rows == [[wire(RED), WHAT], "Sure?"]
    for data, told in (
        ({"text": "x", "mode": "complete"}, "pictures: a text that is completed has none."),
        ({"text": "x"}, "a.txt is text; pictures are taken as PNG, JPEG, WebP"),
    ):
        answer = client.post("/predict", data=data, files={"pictures": ("a.txt", b"words")})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith(told)
    misplaced = client.post("/predict", data={"text": "x"}, files={"photo": photo})
    assert "files belong into 'files' or 'pictures'" in misplaced.json()["error"]["message"]


@needs_mtmd
def test_a_model_of_this_machine_sees_what_a_tool_shows(talk: Talk, tmp_path: Path, fresh_backends: None) -> None:
    """Its weights are drawn at random, and the picture changes what it says."""
    client = talk(LLAMACPP_MMPROJ=str(make_projector(tmp_path / "mmproj.gguf", 320)), LLAMACPP_THREADS="1")
    calls: Any = {"role": "assistant", "content": None, "tool_calls": [call("c_1")]}
    tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]

    def say(*parts: Any) -> tuple[str, int]:
        given = [*asked(WHAT), calls, result("c_1", {**WHAT, "text": "Here."}, *parts)]
        options: Any = {"temperature": 0, "max_tokens": 12, "tools": tools, "tool_choice": "none"}
        made = client.chat.completions.create(model="default", messages=given, **options)
        return str(made.choices[0].message.content), made.usage.prompt_tokens if made.usage else 0

    (red, seen), (blue, _), (_, alone) = say(wire(RED)), say(wire(BLUE)), say()
    assert red != blue
    assert seen - alone in {16, 17}  # 4 x 4 patches, and the end of a line
