"""The description and its page: complete, with examples, and from this host alone."""

import re
from typing import Any

import pytest

from api.application import openapi_document
from tests.api.conftest import Serve


def test_the_page_and_all_it_loads_come_from_this_server(serve: Serve) -> None:
    client = serve()
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    places = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(places) == 3
    for place in places:
        assert place.startswith("/docs/")
        answer = client.get(place)
        assert answer.status_code == 200
        assert len(answer.content) > 100
    assert not re.findall(r"https?://", page.text)
    assert '"validatorUrl": null' in page.text
    assert "connect-src 'self'" in page.headers["content-security-policy"]


def test_nothing_else_is_handed_out(serve: Serve) -> None:
    client = serve()
    for name in ("redoc.standalone.js", "..%2Fcore.py", "core.py"):
        assert client.get(f"/docs/{name}").status_code in {400, 404}


def test_the_document_is_served(serve: Serve) -> None:
    found = serve().get("/openapi.json").json()
    assert {"/health", "/metrics", "/predict", "/v1/chat/completions"} <= set(found["paths"])
    assert "/docs" not in found["paths"]


def examples(node: Any) -> bool:
    """Whether a piece of the document, or what it refers to, shows an example."""
    if isinstance(node, list):
        return any(map(examples, node))
    if not isinstance(node, dict):
        return False
    if "example" in node or "examples" in node:
        return True
    if "$ref" in node:
        return examples(openapi_document()["components"]["schemas"][node["$ref"].rpartition("/")[2]])
    return any(map(examples, node.values()))


OPERATIONS = [(verb, path) for path, verbs in openapi_document()["paths"].items() for verb in verbs]


@pytest.mark.parametrize(("verb", "path"), OPERATIONS)
def test_every_route_has_an_example_and_says_what_it_is(verb: str, path: str) -> None:
    operation = openapi_document()["paths"][path][verb]
    assert operation["description"]
    assert operation["tags"]
    body = operation.get("requestBody")
    assert examples(body if body else operation["responses"]["200"]), "no example"
