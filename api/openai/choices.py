"""The replies to the prompts of one request: begun, counted, and how they ended. Knows no form of an answer."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

import backends
from api.http.errors import ApiError
from api.http.jobs import Job
from api.http.sources import Citation, to_citations
from api.http.state import AppState
from api.openai.request import CompletionRequest
from chains import window
from chains.assistant import Retriever
from conversations.replies import GenerationRequest, Reply, stream_messages
from settings import VERSION

FinishReason = Literal["stop", "length", "content_filter"]
FINISH_REASONS: dict[str | None, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
Prompts = Sequence[Sequence[BaseMessage]]


class Usage(BaseModel):
    """Tokens; estimated where the backend's server tells none."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class Choices:
    """`n` replies to each prompt, in order; `quoting`: somebody named files to answer from."""

    backend: str
    prompts: Prompts
    n: int
    job: Job
    with_sources: bool = False

    @property
    def replies(self) -> list[Reply]:
        """All of them."""
        return self.job.replies

    @property
    def fingerprint(self) -> str:
        """What answers: another one where backend or server change."""
        return f"{self.backend}-{VERSION}"

    def envelope(self, kind: str, body: CompletionRequest) -> dict[str, Any]:
        """What stands in an answer, and in each piece of it, beside the text: the model is the name asked for."""
        return {
            "id": f"{kind}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": body.model,
            "system_fingerprint": self.fingerprint,
        }

    def sources(self) -> list[Citation] | None:
        """The passages that the replies to the one prompt were made from; None where nobody named files."""
        return to_citations(self.replies[0].report.passages) if self.with_sources else None

    def usage(self) -> Usage:
        """Tokens of all; a prompt counts once, however many replies it has."""
        model, firsts = backends.loaded_model(self.backend), self.replies[:: self.n]
        prompt = sum(
            window.prompt_tokens(model, messages, reply.report.prompt_tokens)
            for messages, reply in zip(self.prompts, firsts, strict=True)
        )
        completion = sum(reply.report.completion_tokens or reply.report.pieces for reply in self.replies)
        return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def start_replies(
    state: AppState,
    backend: str,
    prompts: Prompts,
    body: CompletionRequest,
    n: int = 1,
    files: Retriever | None = None,
    **fixed: Any,
) -> Choices:
    """Start all replies, or none. `fixed` are options beside the sampling. Raises ApiError.

    `files` finds passages to answer from.
    """
    count, most = len(prompts) * n, state.api.max_queue
    if count > most:
        raise ApiError(
            400, f"{count} replies are asked for at once; this server takes {most}.", code="too_many_replies"
        )
    asks = [
        GenerationRequest(state.settings, backend, {**options, **fixed})
        for options in options_per_choice(body, n, state.settings.seed)
    ]
    starts = [_start(prompt, ask, files) for prompt in prompts for ask in asks]
    return Choices(backend, prompts, n, Job(state, backend, starts), files is not None)


def options_per_choice(body: CompletionRequest, n: int, seed: int | None) -> list[dict[str, Any]]:
    """The options of each of `n` replies: with a seed they are n different ones, and the same again."""
    options = body.options()
    first = options.get("seed", seed)
    if first is None or n == 1:
        return [options] * n
    return [{**options, "seed": (first + number) % 2**32} for number in range(n)]


def _start(prompt: Sequence[BaseMessage], ask: GenerationRequest, files: Retriever | None) -> Callable[[], Reply]:
    return partial(Reply, partial(stream_messages, prompt, ask, retriever=files))


def finish_reason(reply: Reply) -> FinishReason:
    """Why a reply ended, in OpenAI's words."""
    return FINISH_REASONS.get(reply.report.stop_reason, "stop")
