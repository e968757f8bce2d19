"""`GET /props` and `GET /slots` as llama-server has them: what the server is, and what it does at the moment.

Knows counts and defaults; no prompt, no reply, no path and no caller.
"""

from pathlib import PurePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

import backends
from api.http.errors import error_responses
from api.http.models import resolve_model
from api.http.state import DEFAULT, StateDep
from api.llama.tokens import leased_tokens
from backends import Tokens
from settings import VERSION

router = APIRouter(tags=["llama-server"])
SLOT_EXAMPLE: dict[str, JsonValue] = {
    "id": 0,
    "n_ctx": 8192,
    "speculative": False,
    "is_processing": False,
    "params": {"temperature": 0.7},
}
PROPS_EXAMPLE: dict[str, JsonValue] = {
    "default_generation_settings": SLOT_EXAMPLE,
    "total_slots": 8,
    "model_alias": "llamacpp",
    "model_path": "smollm2-135m-instruct-q4_1",
    "chat_template": "{% for message in messages %}…{% endfor %}",
    "bos_token": "<|im_start|>",
    "eos_token": "<|im_end|>",
    "modalities": {"vision": False, "audio": False},
    "build_info": f"llm-assistant-{VERSION}",
    "is_sleeping": False,
}
ModelName = Annotated[str, Query(max_length=200, description="a name of /v1/models")]


class Slot(BaseModel):
    """A place for one chat; which chat runs in which place is told to nobody."""

    model_config = ConfigDict(json_schema_extra={"examples": [SLOT_EXAMPLE]})

    id: int
    n_ctx: int
    speculative: Literal[False] = False
    is_processing: bool
    params: dict[str, Any] = Field(description="how a reply is sampled where its request does not say it")


class Modalities(BaseModel):
    """What a chat may hold beside text."""

    vision: bool = False
    audio: bool = False


class Props(BaseModel):
    """The server and its model; `model_path` is the model's name, since where its file lies is nobody's concern."""

    model_config = ConfigDict(json_schema_extra={"examples": [PROPS_EXAMPLE]})

    default_generation_settings: Slot
    total_slots: int
    model_alias: str
    model_path: str
    chat_template: str
    bos_token: str
    eos_token: str
    modalities: Modalities
    build_info: str
    is_sleeping: Literal[False] = False


@router.get("/props", responses=error_responses(400, 404, 503))
async def props(state: StateDep, model: ModelName = DEFAULT) -> Props:
    """What the server is, and its model's template and window; the model is loaded where it is not."""
    async with leased_tokens(state, model) as tokens:
        name = await resolve_model(state, model)
        variables = tokens.engine.template_variables
        return Props(
            default_generation_settings=_slot(0, tokens, is_busy=False),
            total_slots=tokens.engine.parallel,
            model_alias=name,
            model_path=PurePath(tokens.model_name).name.removesuffix(".gguf"),
            chat_template=tokens.template,
            bos_token=str(variables.get("bos_token") or ""),
            eos_token=str(variables.get("eos_token") or ""),
            modalities=Modalities(vision=tokens.can_see),
            build_info=f"llm-assistant-{VERSION}",
        )


@router.get("/slots", responses=error_responses(400, 404, 503))
async def slots(state: StateDep, model: ModelName = DEFAULT) -> list[Slot]:
    """The places for chats and how many are taken; none of a model that is not loaded."""
    name = await resolve_model(state, model)
    if (lease := backends.leased(name)) is None:
        return []
    try:
        tokens = Tokens(lease.model, name)
        return [_slot(at, tokens, is_busy=at < tokens.engine.running_count) for at in range(tokens.engine.parallel)]
    finally:
        lease.release(was_used=False)


def _slot(number: int, tokens: Tokens, *, is_busy: bool) -> Slot:
    return Slot(id=number, n_ctx=tokens.window, is_processing=is_busy, params=tokens.sampling_defaults)
