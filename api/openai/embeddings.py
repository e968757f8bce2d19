"""`POST /v1/embeddings`: vectors of texts, as numbers or in base64. Knows the form; not what makes them."""

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from api.http import embedding
from api.http.body import json_body_schema
from api.http.embedding import MAX_DIMENSIONS, MAX_TEXTS, Purpose, Text, Texts, Wish
from api.http.errors import error_responses
from api.http.open_model import OpenModel, request_body
from api.http.state import DEFAULT, StateDep

router = APIRouter(prefix="/v1", tags=["OpenAI"])
Token = Annotated[int, Field(ge=0, lt=2**31)]
Tokens = Annotated[list[Token], Field(min_length=1)]
TokenLists = Annotated[list[Tokens], Field(min_length=1, max_length=MAX_TEXTS)]
PURPOSES: dict[str | None, Purpose] = {"query": "query", "search_query": "query"}
EXAMPLES = {
    "one": {"model": "default", "input": "The mountain gets much rain."},
    "of a local model": {"model": "llamacpp", "input": "The mountain gets much rain."},
    "several": {
        "model": "default",
        "input": ["The mountain gets much rain.", "Bread is baked at night."],
        "encoding_format": "base64",
        "dimensions": 128,
    },
}


class EmbeddingRequest(OpenModel):
    """Texts to make vectors of; ids of tokens are those of the model itself."""

    model: str = Field(DEFAULT, max_length=200, description="default, openai, openai:NAME, or a model on this machine")
    input: Text | Texts | Tokens | TokenLists = Field(
        description="a text or several; ids of tokens, or several lists of them, where the model takes some"
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="base64: the numbers as the bytes of 32-bit floats, the lowest byte first"
    )
    dimensions: Annotated[int, Field(ge=1, le=MAX_DIMENSIONS)] | None = Field(
        None, description="the first numbers of each vector alone, of length 1 again"
    )
    input_type: Literal["query", "search_query", "passage", "document", "search_document"] | None = Field(
        None, description="what the texts are for; unset: they are to be found, not to be searched with"
    )
    truncate_prompt_tokens: Literal[-1] | None = Field(
        None, description="as vLLM has it: -1 cuts texts that are too long, which are refused else"
    )
    user: Any = Field(None, description="no answer depends on it")

    @property
    def texts(self) -> list[Any]:
        """The texts, each a string or a list of ids, also where it is one."""
        is_one = isinstance(self.input, str) or isinstance(self.input[0], int)
        return [self.input] if is_one else list(self.input)


class Embedding(BaseModel):
    """A vector of length 1, of the text with this number."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int
    estimated: bool = Field(False, exclude_if=lambda value: not value, description="there where they are an estimate")


class EmbeddingList(BaseModel):
    """The vectors in the order of the texts; `model` is the name that was sent."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


@router.post(
    "/embeddings",
    responses=error_responses(400, 404, 408, 413, 500, 502, 503, 504),
    openapi_extra=json_body_schema(EmbeddingRequest, **EXAMPLES),
)
async def embeddings(
    state: StateDep, request: Request, body: Annotated[EmbeddingRequest, Depends(request_body(EmbeddingRequest))]
) -> EmbeddingList:
    """A vector for each text."""
    purpose, truncates = PURPOSES.get(body.input_type, "document"), body.truncate_prompt_tokens is not None
    wish = Wish(body.texts, purpose, body.dimensions, truncates)
    made = await embedding.embed(state, request, body.model, wish)
    rows = made.vectors.astype("<f4")
    is_bytes = body.encoding_format == "base64"
    values = [base64.b64encode(row.tobytes()).decode() if is_bytes else row.tolist() for row in rows]
    return EmbeddingList(
        data=[Embedding(index=number, embedding=value) for number, value in enumerate(values)],
        model=body.model,
        usage=EmbeddingUsage(prompt_tokens=made.tokens, total_tokens=made.tokens, estimated=made.estimated),
    )
