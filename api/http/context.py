"""What becomes known of a request on its way in, for its log line, its figures and the headers of its answer.

Knows nothing of who writes or reads it.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

SCOPE_KEY = "api.http.context"


@dataclass
class RequestContext:
    """`caller` is a keyed hash, `error` the code or kind of a failure, `headers` go into the answer whatever it is."""

    caller: str | None = None
    error: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def request_context(scope: MutableMapping[str, Any]) -> RequestContext:
    """The note of this request."""
    found: RequestContext = scope.setdefault(SCOPE_KEY, RequestContext())
    return found
