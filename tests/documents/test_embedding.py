"""Vectors from a real server and from a real sentence-transformers folder, and what is said where none can be made."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents import Document

from documents import embedding
from documents.embedding import current_embedder, embed
from documents.errors import EmbeddingError
from documents.search import EmbeddedPassages, Index, fuse_rankings
from settings import SettingsError
from tests.conftest import free_port
from tests.loopback import KEY, Loopback, running, trigrams

TEXTS = ["The mountain gets much rain.", "Bread is baked at night.", "A ship lies in the harbour."]
PARAPHRASE = "rainfall upon mountaintops"  # not one stem of the first text
TWINS = {"car": "automobile", "doctor": "physician"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Loopback]:
    """One server for all tests of this file."""
    with running(free_port()) as made:
        yield made


@pytest.fixture
def server(shared: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """As it was at its start; EMBEDDINGS names it."""
    shared.requests.clear()
    shared.script.clear()
    shared.size = 256
    monkeypatch.setenv("EMBEDDINGS", shared.url)
    monkeypatch.setenv("EMBEDDINGS_MODEL", "trigrams")
    return shared


def found(texts: list[str], question: str, beside: EmbeddedPassages | None = None) -> list[str]:
    return [each.page_content for each in Index([Document(text) for text in texts], beside).search(question)]


def test_with_none_there_are_no_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDINGS", "none")
    assert current_embedder() is None
    assert embed(TEXTS) is None


def test_a_paraphrase_without_a_common_word_is_found_by_meaning_alone(server: Loopback) -> None:
    assert found(TEXTS, PARAPHRASE) == []
    assert found(TEXTS, PARAPHRASE, embed(TEXTS))[0] == TEXTS[0]
    assert {request["model"] for request in server.requests} == {"trigrams"}
    assert server.requests[0]["input"] == TEXTS, "texts are sent, not the numbers of tokens"


def test_a_text_with_the_exact_words_comes_first(server: Loopback) -> None:
    texts = ["Mountaineering maintains mountaineers.", "Nothing else.", "The code of the mountain is XK-77."]
    assert found(texts, "XK-77 mountain", embed(texts))[0] == texts[2]


def test_of_equal_places_the_one_by_words_is_first() -> None:
    assert [at for at, _ in fuse_rankings([[(5, 9.0)], [(2, 0.8)]])] == [5, 2]


@pytest.mark.parametrize("todo", ["reply", "float"])
def test_vectors_have_length_one_and_come_in_batches(server: Loopback, todo: str) -> None:
    server.script.extend([todo] * 3)
    told: list[tuple[int, int]] = []
    embedder = current_embedder()
    assert embedder is not None
    texts = [f"passage number {number}" for number in range(70)]
    vectors = embedder.embed_texts(texts, lambda done, of: told.append((done, of)))
    assert vectors.dtype == np.float32
    assert vectors.shape == (70, 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    expected = trigrams(texts[69], 256)
    assert np.allclose(vectors[69], expected / np.linalg.norm(expected), atol=1e-6)
    assert told == [(32, 70), (64, 70), (70, 70)]
    assert [len(request["input"]) for request in server.requests] == [32, 32, 6]


def test_half_a_letter_is_sent_as_a_question_mark(server: Loopback) -> None:
    assert embed(["broken \ud800 letter"]) is not None
    assert server.requests[0]["input"] == ["broken ? letter"]


@pytest.mark.parametrize(
    ("todo", "said"),
    [("html", "/v1"), ("404", "EMBEDDINGS_MODEL"), ("short", "no vectors of 3 texts"), ("infinite", "no vectors of 3")],
)
def test_a_server_that_makes_none_is_named_in_one_line(server: Loopback, todo: str, said: str) -> None:
    server.script.append(todo)
    with pytest.raises(EmbeddingError, match=said) as caught:
        embed(TEXTS)
    assert "\n" not in str(caught.value)
    assert TEXTS[0] not in str(caught.value)


@pytest.mark.parametrize("todo", ["500", "429"])
def test_a_busy_server_is_asked_again(server: Loopback, todo: str) -> None:
    server.script.append(todo)
    assert embed(TEXTS) is not None
    assert len(server.requests) == 2


def test_a_wrong_key_is_not_shown(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDINGS_API_KEY", "wrong")
    with pytest.raises(EmbeddingError, match=r"refuses the key\. Check EMBEDDINGS_API_KEY") as caught:
        embed(TEXTS)
    assert "wrong" not in str(caught.value)


def test_a_question_without_vectors_is_searched_by_words(server: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    beside = embed(TEXTS)
    server.script.append("500")
    with caplog.at_level(logging.WARNING, "documents"):
        assert found(TEXTS, "who baked the bread", beside) == [TEXTS[1]]
    assert len(server.requests) == 2, "nobody waits for another try"
    ours = [record for record in caplog.records if record.name.startswith("documents")]  # others log what they like
    assert [record.levelname for record in ours] == ["WARNING"]
    assert "by words alone" in ours[0].getMessage()
    assert "baked" not in ours[0].getMessage()


def test_another_length_of_vectors_is_not_compared(server: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    beside = embed(TEXTS)
    server.size = 64
    assert found(TEXTS, "who baked the bread", beside) == [TEXTS[1]]
    assert "64 numbers" in caplog.text


def test_openai_means_the_server_of_its_backend(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDINGS", "openai")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}, http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert embed(TEXTS) is not None
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(EmbeddingError, match="OPENAI_API_KEY"):
        embed(TEXTS)
    monkeypatch.setenv("EMBEDDINGS_API_KEY", KEY)
    assert embed(TEXTS) is not None


def test_openais_key_goes_to_no_other_server(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    assert embed(TEXTS) is not None, "the server would have refused this key"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"EMBEDDINGS": "/no/such/folder"}, "EMBEDDINGS=/no/such/folder: .*no folder with a model"),
        ({"EMBEDDINGS": "ftp://host/v1", "EMBEDDINGS_MODEL": "m"}, "EMBEDDINGS=ftp://host/v1: .*http"),
        ({"EMBEDDINGS": "http://me:secret@host/v1"}, r"EMBEDDINGS=\(hidden\): .*EMBEDDINGS is"),
        ({"EMBEDDINGS": "http://host/v1"}, "EMBEDDINGS_MODEL=: .*EMBEDDINGS has to be told"),
        ({"EMBEDDINGS": "openai"}, "no key; set OPENAI_API_KEY"),
        ({"EMBEDDINGS": "openai", "OPENAI_BASE_URL": "http://host/v1"}, "set EMBEDDINGS_MODEL"),
        ({"EMBEDDINGS": "openai", "EMBEDDINGS_API_KEY": "schlüssel"}, r"EMBEDDINGS_API_KEY=\(hidden\): "),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said) as caught:
        current_embedder()
    assert "secret" not in str(caught.value)
    assert "schlüssel" not in str(caught.value)


def test_openai_itself_needs_no_name_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDINGS", "openai")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    embedder = current_embedder()
    assert embedder is not None
    assert embedder.name == embedding.SMALL
    assert current_embedder() is embedder, "its connections are kept"


def saved(folder: Path, seed: int = 0) -> Path:
    """A real model of a few words, in which twins have one vector."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    said = ["[UNK]", *TWINS, *TWINS.values(), "the", "old", "red", "bread", "harbour"]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(said)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = np.random.default_rng(seed).normal(size=(len(said), 32)).astype(np.float32)
    for one, other in TWINS.items():
        weights[said.index(other)] = weights[said.index(one)]
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu").save(str(folder))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "twins")


def test_a_folder_finds_a_word_by_its_twin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDINGS", str(folder))
    texts = ["red bread", "the physician", "old harbour"]
    beside = embed(texts)
    assert beside is not None
    assert beside.vectors.shape == (3, 32)
    assert found(texts, "doctor") == []
    assert found(texts, "doctor", beside)[0] == "the physician"


def test_another_model_in_the_same_folder_has_another_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDINGS", str(folder))
    first = current_embedder()
    monkeypatch.setenv("EMBEDDINGS", str(saved(tmp_path / "twins", seed=1)))
    second = current_embedder()
    assert first is not None
    assert second is not None
    assert first.name.startswith("twins@")
    assert second.name.startswith("twins@")
    assert first.name != second.name


def test_a_folder_that_is_no_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules.json").write_text("[]broken")
    monkeypatch.setenv("EMBEDDINGS", str(tmp_path))
    with pytest.raises(EmbeddingError, match=f"EMBEDDINGS={tmp_path}: no sentence-transformers model .* Save it anew"):
        embed(TEXTS)


def test_without_the_package_the_remedy_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDINGS", str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "sentence_transformers"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [part for part in sys.path if "site-packages" not in part])
    embedding._embedders.clear()
    with pytest.raises(SettingsError, match=r"sentence-transformers: not installed; .*requirements-embeddings\.txt"):
        current_embedder()
