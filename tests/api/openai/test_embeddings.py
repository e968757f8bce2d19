"""Vectors as OpenAI's clients ask for them: of the documents' embedder, of a model's states, of a server."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings

from tests.api.conftest import Serve
from tests.api.node import run_node
from tests.api.openai.conftest import official
from tests.conftest import free_port
from tests.loopback import KEY, Loopback, running

TEXTS = ["The mountain gets much rain.", "Bread is baked at night.", "A ship lies in the harbour."]
E5 = "multilingual-e5-small-q4_0"


@pytest.fixture
def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[openai.OpenAI]:
    """OpenAI's client of a server with the default embedder."""
    monkeypatch.delenv("EMBEDDINGS", raising=False)
    with official(serve()) as made:
        yield made


def test_texts_that_mean_the_same_are_near(client: openai.OpenAI) -> None:
    made = client.embeddings.create(model="default", input=[*TEXTS, "Rainfall upon mountaintops."])
    rows = np.array([each.embedding for each in made.data])
    assert [each.index for each in made.data] == [0, 1, 2, 3]
    assert rows.shape == (4, 384)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.argmax(rows[:3] @ rows[3]) == 0
    assert made.usage.prompt_tokens == made.usage.total_tokens > 20
    again = client.embeddings.create(model=E5, input=TEXTS[0], encoding_format="float").data[0].embedding
    assert np.allclose(again, rows[0], atol=1e-6), (
        "base64, which the client asks for by itself, and numbers are the same"
    )
    short = client.embeddings.create(model="default", input=TEXTS[0], dimensions=64).data[0].embedding
    assert np.allclose(short, rows[0, :64] / np.linalg.norm(rows[0, :64]), atol=1e-5)


def test_what_cannot_be_embedded_is_refused_by_name(client: openai.OpenAI) -> None:
    def refusal(**fields: Any) -> Any:
        with pytest.raises(openai.BadRequestError) as caught:
            client.embeddings.create(**{"model": "default", "input": TEXTS[0], **fields})
        return caught.value

    assert "check_embedding_ctx_length=False" in refusal(input=[[1, 2, 3]]).message
    assert refusal(dimensions=385).param == "dimensions"
    too_long = refusal(input=[TEXTS[0], "rain " * 600])
    assert too_long.code == "context_length_exceeded"
    assert "text 1 has 6" in too_long.message
    assert refusal(input=[]).param == "input"
    assert refusal(input="").param == "input"
    cut = client.embeddings.create(model="default", input="rain " * 600, extra_body={"truncate_prompt_tokens": -1})
    assert cut.usage.prompt_tokens == 512
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="gpt-4o", input="hi")


def test_a_local_model_gives_the_mean_of_its_states(serve: Serve) -> None:
    served = serve(API_KEYS="a-key,another", TOKEN_QUOTA="40")
    client = openai.OpenAI(base_url=f"{served.base_url}/v1", api_key="a-key", max_retries=0)
    text = "The mountain gets much rain, and the harbour less. " * 15  # more than a batch of llama.cpp's
    ids = served.post("/tokenize", json={"content": text, "add_special": True}, headers=_key("a-key")).json()["tokens"]
    assert len(ids) <= 1024
    one, two, three = (
        client.embeddings.create(model="llamacpp", input=given) for given in ([ids[:9]], [ids[:10]], [ids[:9]])
    )
    assert one.usage.prompt_tokens == 9
    assert one.data == three.data
    assert one.data[0].embedding != two.data[0].embedding
    assert np.isclose(np.linalg.norm(one.data[0].embedding), 1, atol=1e-5)
    with pytest.raises(openai.BadRequestError, match="no token of this model"):
        client.embeddings.create(model="llamacpp", input=[[10**6]])
    as_text = client.embeddings.create(model="llamacpp", input=text).data[0].embedding
    with pytest.raises(openai.RateLimitError, match="TOKEN_QUOTA"):
        client.embeddings.create(model="llamacpp", input=text)
    other = openai.OpenAI(base_url=f"{served.base_url}/v1", api_key="another", max_retries=0)
    assert other.embeddings.create(model="llamacpp", input=[ids]).data[0].embedding == as_text
    metrics = served.get("/metrics", headers=_key("a-key")).text
    assert 'assistant_embedded_texts_total{model="llamacpp"}' in metrics


def _key(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def behind() -> Iterator[Loopback]:
    """A server with OpenAI's API, which makes the vectors."""
    with running(free_port()) as made:
        yield made


def test_a_servers_vectors_are_passed_on(serve: Serve, behind: Loopback) -> None:
    served = serve(OPENAI_BASE_URL=behind.url, OPENAI_API_KEY=KEY, EMBEDDINGS_MODEL="trigrams", EMBEDDINGS="none")
    client = official(served)
    rows = client.embeddings.create(model="openai", input=TEXTS).data
    assert behind.requests[-1]["model"] == "trigrams"
    assert len(rows[2].embedding) == 256
    assert client.embeddings.create(model="openai", input=TEXTS[2]).data[0].embedding == rows[2].embedding
    told = httpx.post(f"{served.base_url}/v1/embeddings", json={"model": "openai", "input": TEXTS}).json()
    assert told["usage"]["estimated"] is True
    with pytest.raises(openai.InternalServerError, match="EMBEDDINGS=none"):
        client.embeddings.create(model="default", input="hi")


async def test_langchains_embeddings(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBEDDINGS", raising=False)
    served = serve()
    account: dict[str, Any] = {"base_url": f"{served.base_url}/v1", "api_key": "none", "max_retries": 0}
    model = OpenAIEmbeddings(model="default", check_embedding_ctx_length=False, **account)
    rows = np.array(await model.aembed_documents(TEXTS))
    assert np.argmax(rows @ np.array(model.embed_query("Rainfall upon mountaintops."))) == 0


def test_openais_client_for_node(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBEDDINGS", raising=False)
    served = serve()
    told = run_node("openai/embeddings.mjs", served)
    whole = served.post("/v1/embeddings", json={"input": TEXTS, "encoding_format": "base64"}).json()
    rows = [np.frombuffer(base64.b64decode(each["embedding"]), "<f4") for each in whole["data"]]
    assert np.allclose(told["floats"], rows, atol=1e-6)
    assert np.allclose(told["plain"], rows, atol=1e-6)
    assert told["status"] == 400
