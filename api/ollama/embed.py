"""`POST /api/embed`, and the older `POST /api/embeddings`: vectors of texts. Knows the form; not what makes them."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api.http import embedding
from api.http.body import json_body_schema
from api.http.embedding import MAX_DIMENSIONS, Text, Texts, Wish
from api.http.open_model import OpenRequest, add_schemas, request_body
from api.http.state import StateDep
from api.ollama import names
from api.ollama.answer import nanoseconds
from api.ollama.chat import FAILURES
from api.ollama.options import Options
from api.ollama.request import KEPT, KeepAlive, Name

router = APIRouter(prefix="/api", tags=["Ollama"])
RAIN = "The mountain gets much rain."


class VectorRequest(OpenRequest):
    """What both requests for vectors have."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=add_schemas)

    model: Name
    sampling: Options = Field(Options(), alias="options", description="nothing is sampled: they change nothing")
    keep_alive: KeepAlive = Field(None, description=KEPT)


class EmbedRequest(VectorRequest):
    """Texts to make vectors of."""

    input: Text | Texts
    truncate: bool | None = Field(None, description="false: a text that is too long is refused; else it is cut")
    dimensions: Annotated[int, Field(ge=1, le=MAX_DIMENSIONS)] | None = Field(
        None, description="the first numbers of each vector alone, of length 1 again"
    )


class EmbedAnswer(BaseModel):
    """The vectors, of length 1, in the order of the texts; times in nanoseconds."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


class EmbeddingsRequest(VectorRequest):
    """A text to make a vector of."""

    prompt: Text


class EmbeddingsAnswer(BaseModel):
    """The vector, of length 1."""

    embedding: list[float]


@router.post(
    "/embed", responses=FAILURES, openapi_extra=json_body_schema(EmbedRequest, one={"model": "default", "input": RAIN})
)
async def embed(
    state: StateDep, request: Request, body: Annotated[EmbedRequest, Depends(request_body(EmbedRequest))]
) -> EmbedAnswer:
    """A vector for each text."""
    begun = time.monotonic()
    texts = [body.input] if isinstance(body.input, str) else body.input
    wish = Wish(texts, dimensions=body.dimensions, truncates=body.truncate is not False)
    made = await embedding.embed(state, request, await names.read(state, body.model), wish)
    return EmbedAnswer(
        model=body.model,
        embeddings=made.vectors.tolist(),
        total_duration=nanoseconds(time.monotonic() - begun),
        load_duration=0,
        prompt_eval_count=made.tokens,
    )


@router.post(
    "/embeddings",
    responses=FAILURES,
    openapi_extra=json_body_schema(EmbeddingsRequest, one={"model": "default", "prompt": RAIN}),
)
async def embeddings(
    state: StateDep, request: Request, body: Annotated[EmbeddingsRequest, Depends(request_body(EmbeddingsRequest))]
) -> EmbeddingsAnswer:
    """The vector of one text, as older clients ask for it."""
    wish = Wish([body.prompt], truncates=True)
    made = await embedding.embed(state, request, await names.read(state, body.model), wish)
    return EmbeddingsAnswer(embedding=made.vectors[0].tolist())
