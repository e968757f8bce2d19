"""The replies to the prompts of one request: started, counted, and why they ended. Knows no form of an answer."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from langchain_core.messages import BaseMessage
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

import backends
from api.http.errors import ApiError
from api.http.jobs import Job
from api.http.sources import NumberedCitation, numbered_citations
from api.http.state import AppState
from api.openai.annotations import FileCitation, file_citations
from api.openai.request import CompletionRequest
from chains import window
from chains.assistant import Retriever
from chains.passages import question_text
from conversations.replies import GenerationRequest, Reply, excess_note, stream_messages
from documents.source import sources_of
from settings import VERSION

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
FINISH_REASONS: dict[str | None, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
}
NOTICE = (
    "that a server read less than it was sent, what of a tool's schema the model was trusted with, or that a reply "
    "ended inside its thinking"
)
Prompts = Sequence[Sequence[BaseMessage]]


class CompletionTokensDetails(BaseModel):
    """Which of the tokens are no part of the answer."""

    reasoning_tokens: int


class Usage(BaseModel):
    """Tokens; those that the backend's server does not tell are estimated."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    completion_tokens_details: CompletionTokensDetails | None = Field(None, exclude_if=lambda value: value is None)
    estimated: bool = Field(False, exclude_if=lambda value: not value, description="there where some are an estimate")


@dataclass(frozen=True)
class Choices:
    """`n` replies to each prompt, in order; `with_sources`: the request names files to answer from."""

    backend: str
    prompts: Prompts
    n: int
    job: Job
    with_sources: bool = False

    @property
    def replies(self) -> list[Reply]:
        """The replies, those to the first prompt first."""
        return self.job.replies

    @property
    def fingerprint(self) -> str:
        """The `system_fingerprint`: another one where the backend or this server changes."""
        return f"{self.backend}-{VERSION}"

    def envelope(self, kind: str, body: CompletionRequest) -> dict[str, Any]:
        """The fields of an answer, and of each chunk of it, beside the choices; `model` is the name that was sent."""
        return {
            "id": f"{kind}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": body.model,
            "system_fingerprint": self.fingerprint,
        }

    async def sources(self) -> list[NumberedCitation] | None:
        """The passages that the replies to the one prompt were made from; None where the request names no files."""
        if not self.with_sources:
            return None
        report = self.replies[0].report
        given = sources_of(report.passages)
        if not report.whole:
            return numbered_citations(given)
        found = [await self.annotations(number) for number in range(len(self.replies))]
        used = {each.number for annotations in found for each in annotations or ()}
        return numbered_citations([each for each in given if each.number in used])

    async def annotations(self, number: int, offset: int = 0) -> list[FileCitation] | None:
        """Where the reply of this place names passages; None where the request names no files.

        `offset`: characters that stand before it in the text that is told.
        """
        if not self.with_sources:
            return None
        reply, question = self.replies[number], question_text({"messages": self.prompts[number // self.n]})
        # In a thread: words never stemmed before take 16 ms of a reply of 400 words, and all other chats would wait.
        found = await run_in_threadpool(file_citations, reply.text, reply.report, question)
        return [each.moved(offset) for each in found] if offset else found

    def notice(self) -> str | None:
        """What the reader of the replies has to know, as the backend says it; None where there is nothing."""
        notices = (
            excess_note(reply.report) or reply.report.notice or reply.report.not_held or reply.note
            for reply in self.replies
        )
        return next(filter(None, notices), None)

    def usage(self) -> Usage:
        """Tokens of all replies; a prompt counts once, however many replies it has."""
        model, firsts = backends.loaded_model(self.backend), self.replies[:: self.n]
        prompt = sum(
            window.prompt_tokens(model, messages, reply.report.prompt_tokens)
            for messages, reply in zip(self.prompts, firsts, strict=True)
        )
        completion = sum(reply.report.completion_tokens or reply.report.pieces for reply in self.replies)
        thought = sum(reply.report.thinking_tokens or 0 for reply in self.replies)
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            completion_tokens_details=CompletionTokensDetails(reasoning_tokens=thought) if thought else None,
            total_tokens=prompt + completion,
            estimated=any(reply.report.has_estimates for reply in self.replies),
        )


def start_replies(
    state: AppState,
    backend: str,
    prompts: Prompts,
    body: CompletionRequest,
    n: int = 1,
    files: Retriever | None = None,
    raw: bool = False,
    truncate: bool = False,
    whole: bool = False,
) -> Choices:
    """Start all replies, or none: `n` to each prompt, made from passages that `files` finds.

    `raw`: each prompt is one text, which goes on without a template. `truncate`: one that does not fit loses its oldest
    turns. `whole`: the files are read whole, where they fit.

    Raises ApiError 400 for more than MAX_QUEUE at once, 503 as Job does.
    """
    count, limit = len(prompts) * n, state.api.max_queue
    if count > limit:
        raise ApiError(
            400, f"{count} replies are asked for at once; this server takes {limit}.", code="too_many_replies"
        )
    requests = [
        GenerationRequest(state.settings, backend, options, raw=raw, truncate=truncate, whole=whole)
        for options in options_per_choice(body, n, state.settings.seed)
    ]
    starts = [_start(prompt, request, files) for prompt in prompts for request in requests]
    return Choices(backend, prompts, n, Job(state, backend, starts), files is not None)


def options_per_choice(body: CompletionRequest, n: int, seed: int | None) -> list[dict[str, Any]]:
    """The options of each of `n` replies; with a seed they take seed, seed + 1…, so that they differ."""
    options = body.options()
    first = options.get("seed", seed)
    if first is None or n == 1:
        return [options] * n
    return [{**options, "seed": (first + number) % 2**32} for number in range(n)]


def _start(prompt: Sequence[BaseMessage], request: GenerationRequest, files: Retriever | None) -> Callable[[], Reply]:
    return partial(Reply, partial(stream_messages, prompt, request, retriever=files))


def finish_reason(reply: Reply) -> FinishReason:
    """OpenAI's word for why a reply ended."""
    return FINISH_REASONS.get(reply.report.stop_reason, "stop")
