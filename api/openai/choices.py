"""The replies of one request as OpenAI's clients know them: an answer's frame, its usage, and why replies ended."""

import secrets
import time
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.http.answers import Answers
from api.http.sources import NumberedCitation, numbered_citations
from api.openai.annotations import FileCitation, file_citations
from api.openai.request import CompletionRequest
from chains.passages import question_text
from conversations.replies import Reply
from documents.source import sources_of
from settings import VERSION

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
FINISH_REASONS: dict[str | None, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
}


class CompletionTokensDetails(BaseModel):
    """Which of the tokens are no part of the answer."""

    reasoning_tokens: int


class PromptTokensDetails(BaseModel):
    """Which of the prompt's tokens cost less."""

    cached_tokens: int


class Usage(BaseModel):
    """Tokens; those that the backend's server does not tell are estimated."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | None = Field(None, exclude_if=lambda value: value is None)
    completion_tokens_details: CompletionTokensDetails | None = Field(None, exclude_if=lambda value: value is None)
    estimated: bool = Field(False, exclude_if=lambda value: not value, description="there where some are an estimate")

    @classmethod
    def of(cls, prompt: int, completion: int, thought: int | None, estimated: bool, cached: int = 0) -> "Usage":
        """The tokens of prompts and of replies, with what was known of those and thought among these."""
        return cls(
            prompt_tokens=prompt,
            completion_tokens=completion,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=cached) if cached else None,
            completion_tokens_details=CompletionTokensDetails(reasoning_tokens=thought) if thought else None,
            total_tokens=prompt + completion,
            estimated=estimated,
        )


@dataclass(frozen=True)
class Choices(Answers):
    """`n` replies to each prompt, in order."""

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

    def usage(self) -> Usage:
        """Tokens of all replies; a prompt counts once, however many replies it has."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        return Usage.of(prompt, completion, self.thinking_tokens, self.has_estimates, self.cached_tokens)


def finish_reason(reply: Reply) -> FinishReason:
    """OpenAI's word for why a reply ended."""
    return FINISH_REASONS.get(reply.report.stop_reason, "stop")
