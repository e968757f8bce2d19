"""A server whose every route answers as a test says: a path to JSON, a response, or a function of what was sent."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.asgi import listening
from tests.conftest import free_port

Answer = Any  # JSON, a Response, or a function of the JSON that was sent which returns one of them


@dataclass
class Scripted:
    """The answers by path, and what was asked: method, path and JSON of each request, in order."""

    answers: dict[str, Answer]
    origin: str = ""
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The base URL of OpenAI's API."""
        return f"{self.origin}/v1"

    def sent(self, path: str = "/v1/chat/completions") -> list[Any]:
        """The JSON of each request to a path."""
        return [body for _, asked, body in self.requests if asked == path]

    def count(self, path: str) -> int:
        """How often a path was asked."""
        return len(self.sent(path))

    async def handle(self, request: Request) -> Response:
        """The answer of a path; 404 for one that the script does not have."""
        body = await request.body()
        sent = json.loads(body) if body else None
        self.requests.append((request.method, request.url.path, sent))
        self.headers.append(dict(request.headers))
        answer = self.answers.get(request.url.path, JSONResponse({"detail": "Not Found"}, 404))
        while isinstance(answer, Callable) and not isinstance(answer, Response):  # type: ignore[arg-type]
            answer = answer(sent)
        return answer if isinstance(answer, Response) else JSONResponse(answer)


@contextmanager
def serving(answers: Mapping[str, Answer]) -> Iterator[Scripted]:
    """The server on a loopback port, while the block runs."""
    server, port = Scripted(dict(answers)), free_port()
    server.origin = f"http://127.0.0.1:{port}"
    app = Starlette(routes=[Route("/{path:path}", server.handle, methods=["GET", "POST"])])
    with listening(app, port):
        yield server


def models(*rows: Any, **fields: Any) -> dict[str, Any]:
    """A list of models; a row that is a name gets `fields`."""
    data = [{"id": row, "object": "model", **fields} if isinstance(row, str) else row for row in rows]
    return {"object": "list", "data": data}


def chat(text: str, usage: Any = None, model: str = "m-1", finish: str = "stop") -> Callable[[Any], Response]:
    """A reply as it was asked for: streamed word by word, or whole. `usage` is (prompt, completion) or None."""
    words = [part for part in text.replace(" ", " \0").split("\0") if part]
    tokens = usage and {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}

    def answer(sent: Any) -> Response:
        if not sent.get("stream"):
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": finish}
            body = {"id": "c", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
            return JSONResponse({**body, "usage": tokens} if tokens else body)
        rows = [chunk({"content": word}, model=model) for word in words]
        rows.append(chunk({}, finish=finish, model=model))
        if tokens:
            rows.append({**chunk({}, model=model), "choices": [], "usage": tokens})
        return sse(rows)

    return answer


def chunk(delta: dict[str, Any], finish: str | None = None, model: str = "m-1") -> dict[str, Any]:
    """One chunk of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}


def sse(rows: list[Any]) -> Response:
    """A stream of these rows, to its end."""
    lines = "".join(f"data: {json.dumps(row)}\n\n" for row in rows)
    return Response(f"{lines}data: [DONE]\n\n", media_type="text/event-stream")
