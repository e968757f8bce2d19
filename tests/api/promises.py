"""What schemathesis is told beside the OpenAPI document: no schema says which bytes make a file that can be read."""

from typing import Any

import schemathesis
from schemathesis.checks import CheckContext
from schemathesis.core.transport import Response

FILES = {"/v1/files", "/predict"}  # a form sent to these may hold a file that is none
CONFIG = """
[warnings]
display = ["missing_auth"]

[[operations]]
include-path-regex = "^/v1/files"
generation.max-examples = 10

[[operations]]
include-method = "POST"
include-path = ["/v1/files", "/predict"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "5xx"]
"""


@schemathesis.check
def what_fits_the_schema_is_taken(ctx: CheckContext, response: Response, case: schemathesis.Case[Any]) -> None:
    """Of these paths all but forms: schemathesis' own check of it is off for them."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if positive and case.path in FILES and case.media_type == "application/json":
        assert response.status_code != 400, "valid data should have been accepted"
