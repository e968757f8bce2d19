"""Pictures in requests, by OpenAI's own client, on a server whose backend is a scripted one that sees."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import BadRequestError
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from documents.pictures.picture import Picture
from tests.api.conftest import Serve
from tests.api.openai.conftest import Talk, official
from tests.asgi import listening
from tests.conftest import free_port
from tests.loopback import Loopback
from tests.pictures import encode, plain
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


def test_a_response_with_tools_of_this_server_shows_them_too(talk: Talk, server: Scripted) -> None:
    client = talk(LLM_BACKEND="openai")
    own: Any = [{"type": "mcp", "server_label": "own", "allowed_tools": ["calculator"]}]
    shown: Any = asked({"type": "input_image", "image_url": RED.data_url})
    made = client.responses.create(model="default", input=shown, tools=own)
    assert made.output_text == "It is red."
    assert seen(server) == [wire(RED)]


def test_a_model_that_cannot_see_is_told_before_anything_is_sent(serve: Serve, server: Scripted) -> None:
    server.answers["/v1/models"] = models("m-1", max_model_len=4096, capabilities={"vision": False})
    client = official(serve(LLM_BACKEND="openai"))
    reads = {"input_modalities": ["text"]}
    assert client.models.retrieve("llamacpp").to_dict()["architecture"] == reads
    for backend in ("default", "llamacpp"):
        with pytest.raises(BadRequestError, match=r"cannot see pictures: .*(text alone|no projector)") as refused:
            client.chat.completions.create(model=backend, messages=asked(WHAT, wire(RED)))
        assert refused.value.status_code == 400
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


def test_pictures_stand_in_users_messages_alone_and_are_counted(talk: Talk, loopback: Loopback) -> None:
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
