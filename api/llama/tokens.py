"""`POST /tokenize`, `/detokenize` and `/apply-template` as llama-server has them, for models of this machine.

Knows requests and answers; nothing of a tokenizer.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

import backends
from api.http.body import json_body_schema
from api.http.errors import ApiError, error_responses
from api.http.functions import Tools
from api.http.models import resolve_model
from api.http.open_model import OpenModel, request_body
from api.http.state import DEFAULT, AppState, StateDep
from api.openai.message import InputMessage, to_langchain_messages
from api.openai.picture_part import picture_parts
from backends import Tokens

router = APIRouter(tags=["llama-server"])
FAILURES = error_responses(400, 404, 408, 413, 500, 503)
MODEL = "a name of /v1/models"
TOKENIZE = {"a text": {"content": "Hello world!", "with_pieces": True}}
DETOKENIZE = {"tokens": {"tokens": [1, 2, 3]}}
TEMPLATE = {"a chat": {"messages": [{"role": "user", "content": "hi, how are you?"}]}}


class TokenizeRequest(OpenModel):
    """A text whose tokens are asked for."""

    content: str
    add_special: bool = Field(False, description="with the tokens that every prompt begins with")
    parse_special: bool = Field(True, description="special tokens that the text spells count as such")
    with_pieces: bool = Field(False, description="each token with its text")
    model: str = Field(DEFAULT, max_length=200, description=MODEL)


class TokenPiece(BaseModel):
    """A token and its text; its bytes, where it is a part of a letter."""

    id: int
    piece: str | list[int]


class TokenList(BaseModel):
    """The tokens of a text."""

    tokens: list[int] | list[TokenPiece]


class DetokenizeRequest(OpenModel):
    """Tokens whose text is asked for."""

    tokens: list[Annotated[int, Field(ge=0, lt=2**31)]]
    model: str = Field(DEFAULT, max_length=200, description=MODEL)


class Content(BaseModel):
    """The text of some tokens; what is no whole letter stands as U+FFFD."""

    content: str


class TemplateRequest(OpenModel):
    """A chat whose prompt is asked for."""

    messages: list[InputMessage] = Field(min_length=1)
    tools: Tools | None = None
    model: str = Field(DEFAULT, max_length=200, description=MODEL)


class Prompt(BaseModel):
    """A chat as the model's template writes it, with the beginning of the reply."""

    prompt: str


@asynccontextmanager
async def leased_tokens(state: AppState, model: str) -> AsyncIterator[Tokens]:
    """The tokenizer of a model, which is loaded where it is not and stays while the block runs. Raises ApiError."""
    name = await resolve_model(state, model)
    with await backends.lease(name, state.settings) as lease:
        yield Tokens(lease.model, name)


def _piece(data: bytes) -> str | list[int]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return list(data)


@router.post("/tokenize", responses=FAILURES, openapi_extra=json_body_schema(TokenizeRequest, **TOKENIZE))
async def tokenize(
    state: StateDep, body: Annotated[TokenizeRequest, Depends(request_body(TokenizeRequest))]
) -> TokenList:
    """The tokens of a text, by the model's own tokenizer."""

    def work() -> list[int] | list[TokenPiece]:
        ids = tokens.encode(body.content, is_begun=body.add_special, is_parsed=body.parse_special)
        pieces = tokens.pieces(ids) if body.with_pieces else ()
        told = [TokenPiece(id=token, piece=_piece(data)) for token, data in zip(ids, pieces, strict=False)]
        return told if body.with_pieces else ids

    async with leased_tokens(state, body.model) as tokens:
        return TokenList(tokens=await run_in_threadpool(work))


@router.post("/detokenize", responses=FAILURES, openapi_extra=json_body_schema(DetokenizeRequest, **DETOKENIZE))
async def detokenize(
    state: StateDep, body: Annotated[DetokenizeRequest, Depends(request_body(DetokenizeRequest))]
) -> Content:
    """The text of some tokens."""
    async with leased_tokens(state, body.model) as tokens:
        pieces = await run_in_threadpool(tokens.pieces, body.tokens)
    return Content(content=b"".join(pieces).decode("utf-8", "replace"))


@router.post("/apply-template", responses=FAILURES, openapi_extra=json_body_schema(TemplateRequest, **TEMPLATE))
async def apply_template(
    state: StateDep, body: Annotated[TemplateRequest, Depends(request_body(TemplateRequest))]
) -> Prompt:
    """The prompt that a chat becomes; nothing is computed."""
    if any(picture_parts(message.content) for message in body.messages):
        raise ApiError(400, "messages: a prompt as text holds no picture. Leave it out.", param="messages")
    messages, tools = to_langchain_messages(body.messages), [dict(tool) for tool in body.tools or ()]
    async with leased_tokens(state, body.model) as tokens:
        text: Any = await run_in_threadpool(tokens.prompt, messages, tools)
    return Prompt(prompt=text)
