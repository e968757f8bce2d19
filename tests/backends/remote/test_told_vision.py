"""Whether a model sees, as servers say it, and what is done with a picture then."""

from typing import Any

import pytest

import backends
from backends.remote.told_vision import told_vision
from settings import Settings
from tests.backends.remote.conftest import Serve, ask
from tests.scripted import models

TOLD: dict[str, tuple[Any, bool | None]] = {
    "OpenRouter": ({"architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]}}, True),
    "OpenRouter, text alone": ({"architecture": {"input_modalities": ["text"], "modality": "text->text"}}, False),
    "a model that draws": ({"architecture": {"modality": "text->text+image"}}, False),
    "LM Studio": ({"type": "vlm", "capabilities": ["tool_use"]}, True),
    "LM Studio, text alone": ({"type": "llm", "capabilities": ["tool_use"]}, None),
    "llama-server's list": ({"capabilities": ["completion", "multimodal"]}, True),
    "llama-server's props": ({"modalities": {"vision": False, "audio": False}}, False),
    "Mistral": ({"capabilities": {"completion_chat": True, "vision": True}}, True),
    "Mistral, text alone": ({"capabilities": {"completion_chat": True, "vision": False}}, False),
    "LiteLLM": ({"model_info": {"supports_vision": True}}, True),
    "vLLM": ({"id": "m", "max_model_len": 4096, "owned_by": "vllm"}, None),
    "nonsense": ({"capabilities": 7, "modalities": [None], "architecture": "llama"}, None),
}


@pytest.mark.parametrize("said", TOLD)
def test_servers_say_it_in_fields_of_their_own(said: str) -> None:
    row, sees = TOLD[said]
    assert told_vision(row) is sees


def test_a_list_of_all_abilities_says_no_by_leaving_it_out() -> None:
    assert told_vision({"capabilities": ["completion", "tools"]}, lists_all=True) is False
    assert told_vision({"capabilities": ["completion", "vision"]}, lists_all=True) is True


@pytest.mark.parametrize(("row", "is_blind"), [({"capabilities": {"vision": False}}, True), ({}, False)])
async def test_what_a_server_said_is_known_before_anything_is_sent(
    serve: Serve, row: dict[str, Any], is_blind: bool
) -> None:
    serve({"/v1/models": models("m-1", max_model_len=300, **row)}, OPENAI_MODEL="m-1")
    assert backends.vision_error("openai", Settings.read()) is None, "nobody has been asked yet"
    await ask()
    problem = backends.vision_error("openai", Settings.read())
    assert (problem is not None) is is_blind
