"""The replies to the prompts of one request: started in places of the queue, counted, and what has to be said of them.

Knows no form of an answer: each family of clients has its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from langchain_core.messages import BaseMessage

import backends
from api.http.errors import ApiError
from api.http.jobs import Job
from api.http.state import AppState
from chains import window
from chains.assistant import Retriever
from conversations.replies import GenerationRequest, Reply, excess_note, stream_messages

Prompts = Sequence[Sequence[BaseMessage]]
NOTICE = (  # what `Answers.notice` is about, for the document
    "that a server read less than it was sent, what of a tool's schema the model was trusted with, or that a reply "
    "ended inside its thinking"
)


@dataclass(frozen=True)
class Answers:
    """`n` replies to each prompt, in order; `with_sources`: the request names files to answer from."""

    backend: str
    prompts: Prompts
    n: int
    job: Job
    with_sources: bool = False

    @classmethod
    def start(
        cls,
        state: AppState,
        backend: str,
        prompts: Prompts,
        options: Mapping[str, Any],
        n: int = 1,
        files: Retriever | None = None,
        raw: bool = False,
        truncate: bool = False,
        whole: bool = False,
    ) -> Self:
        """Start all replies, or none: `n` to each prompt, made from passages that `files` finds.

        `options` are the chain's. `raw`: each prompt is one text, which goes on without a template. `truncate`: one
        that does not fit loses its oldest turns. `whole`: the files are read whole, where they fit.

        Raises ApiError 400 for more than MAX_QUEUE at once, 503 as Job does.
        """
        count, limit = len(prompts) * n, state.api.max_queue
        if count > limit:
            raise ApiError(
                400, f"{count} replies are asked for at once; this server takes {limit}.", code="too_many_replies"
            )
        requests = [
            GenerationRequest(state.settings, backend, each, raw=raw, truncate=truncate, whole=whole)
            for each in options_per_reply(options, n, state.settings.seed)
        ]
        starts = [_start(prompt, request, files) for prompt in prompts for request in requests]
        return cls(backend, prompts, n, Job(state, backend, starts), files is not None)

    @property
    def replies(self) -> list[Reply]:
        """The replies, those to the first prompt first."""
        return self.job.replies

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompts; each counts once, however many replies it has."""
        model, firsts = backends.loaded_model(self.backend), self.replies[:: self.n]
        return sum(
            window.prompt_tokens(model, messages, reply.report.prompt_tokens)
            for messages, reply in zip(self.prompts, firsts, strict=True)
        )

    @property
    def cached_tokens(self) -> int:
        """Those of them that the backend knew before, as far as it tells."""
        return sum(reply.report.cached_tokens for reply in self.replies[:: self.n])

    @property
    def cache_writes(self) -> int:
        """Those of the others that a server keeps for later requests, as far as it tells."""
        return sum(reply.report.cache_writes for reply in self.replies[:: self.n])

    @property
    def completion_tokens(self) -> int:
        """Tokens of all replies, with what was thought."""
        return sum(reply.report.completion_tokens or reply.report.pieces for reply in self.replies)

    @property
    def thinking_tokens(self) -> int:
        """Those of them that were thought."""
        return sum(reply.report.thinking_tokens or 0 for reply in self.replies)

    @property
    def has_estimates(self) -> bool:
        """Whether some are no count of the backend's."""
        return any(reply.report.has_estimates for reply in self.replies)

    def notice(self) -> str | None:
        """What the reader of the replies has to know, as the backend says it; None where there is nothing."""
        notices = (
            excess_note(reply.report) or reply.report.notice or reply.report.not_held or reply.note
            for reply in self.replies
        )
        return next(filter(None, notices), None)


def options_per_reply(options: Mapping[str, Any], n: int, seed: int | None) -> list[Mapping[str, Any]]:
    """The options of each of `n` replies; with a seed they take seed, seed + 1…, so that they differ."""
    first = options.get("seed", seed)
    if first is None or n == 1:
        return [options] * n
    return [{**options, "seed": (first + number) % 2**32} for number in range(n)]


def _start(prompt: Sequence[BaseMessage], request: GenerationRequest, files: Retriever | None) -> Callable[[], Reply]:
    return partial(Reply, partial(stream_messages, prompt, request, retriever=files))
