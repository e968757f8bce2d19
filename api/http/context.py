"""What becomes known of a request on its way in, for its log line, its metrics and the headers of its answer.

Knows nothing of who writes or reads it.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

SCOPE_KEY = "api.http.context"


@dataclass
class RequestContext:
    """`caller` is a pseudonym, `error` the code or kind of a failure, `headers` go into the answer whatever it is."""

    caller: str | None = None
    error: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def request_context(scope: MutableMapping[str, Any]) -> RequestContext:
    """The context of the request of this ASGI scope, the same one each time."""
    context: RequestContext = scope.setdefault(SCOPE_KEY, RequestContext())
    return context
