"""Servers of embeddings that answer in another order, refuse so many texts at once, or send what is no vector."""

import base64
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest
from starlette.responses import JSONResponse, Response

from documents.embedding import current_embedder, embed
from documents.errors import EmbeddingError
from documents.search import Vectors
from tests.scripted import Scripted, serving

PATH = "/v1/embeddings"
NUMBERS = count()
TEXTS = [f"passage {number}" for number in range(70)]


def vector(text: str) -> list[float]:
    """A direction of its own for each passage."""
    angle = float(text.split()[-1]) / 100
    return [float(np.cos(angle)), float(np.sin(angle))]


def rows(sent: Any, index: Callable[[int], Any] = lambda at: at) -> list[dict[str, Any]]:
    return [
        {"object": "embedding", "index": index(at), "embedding": vector(text)} for at, text in enumerate(sent["input"])
    ]


def answer(sent: Any) -> Any:
    return {"object": "list", "data": rows(sent)}


@pytest.fixture(scope="module")
def running() -> Iterator[Scripted]:
    """One server for all tests of this file."""
    with serving({}) as server:
        yield server


@pytest.fixture
def server(running: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """As new; EMBEDDINGS names it, with a model of its own, so that nothing is remembered of the test before."""
    running.requests.clear()
    running.answers = {PATH: answer}
    monkeypatch.setenv("EMBEDDINGS", running.url)
    monkeypatch.setenv("EMBEDDINGS_MODEL", f"m-{next(NUMBERS)}")
    return running


def vectors(texts: list[str]) -> Vectors:
    embedder = current_embedder()
    assert embedder is not None
    return embedder.embed_texts(texts)


def expected(texts: list[str]) -> Any:
    return pytest.approx(np.array([vector(text) for text in texts]), abs=1e-6)


ORDERS: dict[str, Callable[[Any], list[dict[str, Any]]]] = {
    "as sent": rows,
    "reversed": lambda sent: rows(sent)[::-1],
    "shuffled": lambda sent: sorted(rows(sent), key=lambda row: row["index"] * 7 % 11),
    "from one on": lambda sent: rows(sent, lambda at: at + 1)[::-1],
    "numbers as texts": lambda sent: rows(sent, str)[::-1],
    "without a number": lambda sent: [{"embedding": row["embedding"]} for row in rows(sent)],
    "all the same": lambda sent: rows(sent, lambda _: 0),
    "in base64": lambda sent: [
        {**row, "embedding": base64.b64encode(np.array(row["embedding"], "<f4").tobytes()).decode()}
        for row in rows(sent)[::-1]
    ],
    "nested": lambda sent: [{**row, "embedding": [row["embedding"]]} for row in rows(sent)],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_every_text_gets_its_own_vector(server: Scripted, order: Callable[[Any], list[dict[str, Any]]]) -> None:
    server.answers[PATH] = lambda sent: {"object": "list", "data": order(sent)}
    assert vectors(TEXTS) == expected(TEXTS)


def test_rows_of_which_two_are_for_one_text_are_refused(server: Scripted) -> None:
    server.answers[PATH] = lambda sent: {"data": rows(sent, lambda at: at // 2)}
    with pytest.raises(EmbeddingError, match="which vector is whose"):
        vectors(TEXTS)


REFUSALS: dict[str, tuple[int, str]] = {
    "TEI": (413, "batch size 32 > maximum allowed batch size 8"),
    "TEI, in 422": (422, "batch size 32 > maximum allowed batch size 8"),
    "DashScope": (400, "<400> InternalError: batch size is invalid, it should not be larger than 10."),
    "Azure": (400, "Too many inputs. The max number of inputs is 8."),
    "OpenAI": (400, "Invalid 'input': array too long. Expected an array with maximum length 8."),
    "OpenAI, tokens": (400, "Invalid 'input': maximum request size is 300000 tokens per request."),
    "Mistral": (400, "Too many tokens in batch. Max is 16384"),
    "Cohere": (400, "invalid request: total number of texts must be at most 8"),
    "Gemini": (400, "at most 8 requests can be in one batch"),
    "llama-server": (500, "input is too large to process. increase the physical batch size"),
    "without a word": (413, ""),
}


@pytest.mark.parametrize(("status", "message"), REFUSALS.values(), ids=REFUSALS)
def test_a_batch_that_is_too_large_is_halved(server: Scripted, status: int, message: str) -> None:
    def limited(sent: Any) -> Any:
        if len(sent["input"]) <= 8:
            return answer(sent)
        error = {"error": {"message": message, "code": status}}
        return JSONResponse(error, status, headers={"x-should-retry": "false"})

    server.answers[PATH] = limited
    assert vectors(TEXTS) == expected(TEXTS)
    sizes = [len(sent["input"]) for sent in server.sent(PATH)]
    assert sizes[:3] == [32, 16, 8], "and it is remembered"
    assert max(sizes[3:]) == 8


def test_a_text_that_is_too_long_by_itself_is_named_as_that(server: Scripted) -> None:
    message = "This model's maximum context length is 512 tokens"
    server.answers[PATH] = JSONResponse({"error": {"message": message}}, 400)
    with pytest.raises(EmbeddingError, match=r"refuses a text as too long.*EMBEDDINGS_MODEL") as caught:
        vectors(TEXTS)
    assert "512" not in str(caught.value)
    assert [len(sent["input"]) for sent in server.sent(PATH)] == [32, 16, 8, 4, 2, 1]


def test_another_refusal_is_not_tried_in_halves(server: Scripted) -> None:
    server.answers[PATH] = JSONResponse({"error": {"message": "this model does not support embeddings"}}, 400)
    with pytest.raises(EmbeddingError, match="refuses the request"):
        vectors(TEXTS)
    assert server.count(PATH) == 1


def test_a_server_that_knows_no_base64_is_asked_for_numbers(server: Scripted) -> None:
    def picky(sent: Any) -> Any:
        error = {"error": {"message": "encoding_format: only float is supported"}}
        return answer(sent) if sent["encoding_format"] == "float" else JSONResponse(error, 400)

    server.answers[PATH] = picky
    assert vectors(TEXTS) == expected(TEXTS)
    assert [sent["encoding_format"] for sent in server.sent(PATH)] == ["base64", "float", "float", "float"]


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "all zeros": (lambda sent: {"data": [*rows(sent)[:-1], {"index": len(sent["input"]) - 1, "embedding": [0.0, 0.0]}]},
                  "some are all zeros"),
    "no number": (lambda sent: {"data": [{**row, "embedding": [np.nan, 1.0]} for row in rows(sent)]}, "no number"),
    "infinite": (lambda sent: {"data": [{**row, "embedding": [1e999, 1.0]} for row in rows(sent)]}, "no number"),
    "null": (lambda sent: {"data": [{**row, "embedding": [None, 1.0]} for row in rows(sent)]}, "no vectors of"),
    "several lengths": (lambda sent: {"data": [{**row, "embedding": [1.0] * (1 + row["index"])} for row in rows(sent)]},
                        "not of one length"),
    "too few": (lambda sent: {"data": rows(sent)[1:]}, "no vectors of 3 texts, but 2"),
    "too many": (lambda sent: {"data": [*rows(sent), {"index": 9, "embedding": [1.0, 0.0]}]}, "texts, but 4"),
    "none": (lambda _: {"data": []}, "/v1"),
    "another shape": (lambda _: {"embeddings": [[1.0]]}, "/v1"),
    "rows that are none": (lambda _: {"data": [[1.0], [2.0], [3.0]]}, "/v1"),
    "no base64": (lambda sent: {"data": [{**row, "embedding": "???"} for row in rows(sent)]}, "/v1"),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_vector_is_refused_in_one_line(server: Scripted, wrong: Callable[[Any], Any], said: str) -> None:
    server.answers[PATH] = lambda sent: as_written(wrong(sent))
    with pytest.raises(EmbeddingError, match=said) as caught:
        embed(TEXTS[:3])
    assert "\n" not in str(caught.value)
    assert TEXTS[0] not in str(caught.value)


def as_written(body: Any) -> Response:
    """As servers write it, which JSON does not allow: NaN and Infinity."""
    return Response(json.dumps(body), media_type="application/json")


def test_another_length_in_a_later_batch_is_refused(server: Scripted) -> None:
    def growing(sent: Any) -> Any:
        length = 2 if TEXTS[0] in sent["input"] else 3
        return {"data": [{**row, "embedding": [1.0] * length} for row in rows(sent)]}

    server.answers[PATH] = growing
    with pytest.raises(EmbeddingError, match="several lengths"):
        vectors(TEXTS)
