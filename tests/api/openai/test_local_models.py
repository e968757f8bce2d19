"""Models of this machine over /v1, where API_MODELS allows them."""

from pathlib import Path

import pytest
from openai import NotFoundError

import backends
from tests.api.openai.conftest import HI, Talk
from tests.conftest import GGUF

pytestmark = pytest.mark.usefixtures("fresh_backends")


@pytest.fixture(autouse=True)
def _other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another model beside the one that the settings name."""
    monkeypatch.setenv("LLAMACPP_MODEL", str(GGUF))
    monkeypatch.setenv("MODELS_DIRS", str(tmp_path / "more"))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "other.gguf").write_bytes(GGUF.read_bytes())


@pytest.mark.parametrize("allowed", ["llamacpp:*", "llamacpp:other", "small=llamacpp:other"])
def test_what_is_allowed_is_listed_and_loaded_by_its_name(talk: Talk, allowed: str) -> None:
    client = talk(API_MODELS=allowed)
    name = allowed.partition("=")[0].replace("*", "other")
    found = {model.id: model for model in client.models.list()}
    assert (name in found, found[name].owned_by) == (True, "llamacpp:other")
    assert not any("/" in each and str(GGUF.parent) in each for each in found)
    answer = client.chat.completions.create(model=name, messages=HI, max_tokens=4)
    assert answer.model == name
    assert backends.resident("llamacpp:other") is not None
    assert backends.loaded_model("llamacpp") is None
    assert client.models.retrieve(name).to_dict()["max_model_len"] == 1024


def test_what_is_not_allowed_or_not_there_is_refused(talk: Talk) -> None:
    client = talk(API_MODELS="gpt2:*")
    for name in ("llamacpp:other", "gpt2:gone", "gpt2:*", "llamacpp:"):
        with pytest.raises(NotFoundError) as refused:
            client.chat.completions.create(model=name, messages=HI)
        assert refused.value.code == "model_not_found"
    assert "gpt2:default" in {model.id for model in client.models.list()}
    assert backends.residents() == []
