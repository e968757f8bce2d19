"""What schemathesis is told beside the OpenAPI document: no schema says which bytes make a file that can be read, nor
which schemas a reply can be held to, nor which tools there are."""

from typing import Any

import schemathesis
from schemathesis.checks import CheckContext
from schemathesis.core.transport import Response

FILES = {"/v1/files", "/predict", "/projects/{project_id}/files"}  # a form sent to these may hold a file that is none
REFUSED = "unsupported_parameter"  # a form that a reply cannot be held to, which no schema of ours can say
CONFIG = """
[warnings]
display = ["missing_auth"]

[[operations]]
include-path-regex = "^/(projects|conversations/import)"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "5xx"]

# Whoever may manage models here, no key does.
[[operations]]
include-path = ["/api/pull", "/api/delete"]
warnings = false

[[operations]]
include-method = "POST"
include-path = [
  "/v1/files", "/predict", "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings",
  "/v1/messages", "/v1/messages/count_tokens",
  "/tokenize", "/detokenize", "/apply-template",
  "/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/show", "/api/pull",
]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "5xx"]
"""


@schemathesis.check
def what_fits_the_schema_is_taken(ctx: CheckContext, response: Response, case: schemathesis.Case[Any]) -> None:
    """Of these paths all but forms: schemathesis' own check of it is off for them."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if not positive or case.path not in FILES or case.media_type != "application/json":
        return
    if response.status_code == 400:
        error = response.json()["error"]
        assert error["code"] == REFUSED or error["param"] == "tools", "valid data should have been accepted"
