"""llama-server's own routes: tokens and back, the template, what the server is; and what they keep to themselves."""

from pathlib import Path

from tests.api.conftest import Serve
from tests.api.openai.conftest import HI, NOISE

TEXT = "Hello wörld, how are you?"
SECRET = "the-key-of-somebody"


def test_a_text_becomes_tokens_and_they_the_text(serve: Serve) -> None:
    client = serve()
    plain = client.post("/tokenize", json={"content": TEXT}).json()["tokens"]
    pieces = client.post("/tokenize", json={"content": TEXT, "with_pieces": True}).json()["tokens"]
    assert [each["id"] for each in pieces] == plain
    told = b"".join(
        each["piece"].encode() if isinstance(each["piece"], str) else bytes(each["piece"]) for each in pieces
    )
    assert told.decode().strip() == TEXT
    assert client.post("/detokenize", json={"tokens": plain}).json()["content"].strip() == TEXT
    assert client.post("/tokenize", json={"content": ""}).json() == {"tokens": []}
    wrong = client.post("/detokenize", json={"tokens": [10**6]})
    assert wrong.status_code == 400
    assert "no token of this model" in wrong.json()["error"]["message"]


def test_special_tokens_are_parsed_unless_somebody_says_otherwise(serve: Serve) -> None:
    client = serve()
    eos = client.get("/props").json()["eos_token"]
    assert eos
    parsed, plain = (
        client.post("/tokenize", json={"content": eos, "parse_special": each}).json()["tokens"]
        for each in (True, False)
    )
    assert len(parsed) == 1
    assert len(plain) > 1
    assert client.post("/detokenize", json={"tokens": parsed}).json()["content"] == eos


def test_the_template_tells_the_prompt_that_is_computed(serve: Serve) -> None:
    client = serve()
    prompt = client.post("/apply-template", json={"messages": HI}).json()["prompt"]
    assert "hi, how are you?" in prompt
    tokens = client.post("/tokenize", json={"content": prompt, "add_special": True}).json()["tokens"]
    chat = client.post("/v1/chat/completions", json={"model": "default", "messages": HI, "max_tokens": 1}).json()
    assert len(tokens) == chat["usage"]["prompt_tokens"]


def test_what_the_server_is_names_no_place_and_no_prompt(serve: Serve, tmp_path: Path) -> None:
    client = serve(API_KEYS=SECRET)
    for path in ("/props", "/slots"):
        assert client.get(path).status_code == 401
    client.headers["Authorization"] = f"Bearer {SECRET}"
    props = client.get("/props")
    assert props.json()["default_generation_settings"]["n_ctx"] == 1024
    assert props.json()["total_slots"] >= 1
    assert props.json()["chat_template"]
    asked = {"model": "default", "messages": [{"role": "user", "content": "xylophone"}], "stream": True, **NOISE}
    with client.stream("POST", "/v1/chat/completions", json=asked) as stream:
        lines = (line for line in stream.iter_lines() if line)
        next(lines), next(lines)  # the role goes out before anything is computed
        slots = client.get("/slots")
        assert [each["is_processing"] for each in slots.json()].count(True) == 1
        told = props.text + slots.text + client.get("/props").text
    assert "xylophone" not in told
    assert SECRET not in told
    assert "/models/" not in told
    assert ".gguf" not in told


def test_a_servers_tokens_are_its_own(serve: Serve, loopback: object) -> None:
    client = serve(LLM_BACKEND="openai")
    answer = client.post("/tokenize", json={"content": "hi"})
    assert answer.status_code == 400
    assert "its tokens are its server's" in answer.json()["error"]["message"]
