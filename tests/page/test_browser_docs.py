"""The API's page in a real browser, beside the chat page: it asks no other host, and a request can be tried on it."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_the_docs_page_works_without_another_host(llamacpp: str, tab: Page) -> None:
    asked, said = list[str](), list[str]()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    tab.goto(f"{llamacpp}/docs")
    health = tab.locator("#operations-operations-health_health_get")
    health.click()
    health.get_by_role("button", name="Try it out").click()
    health.get_by_role("button", name="Execute").click()
    expect(health.locator(".live-responses-table").get_by_text('"status": "ok"')).to_be_visible()
    predict = tab.locator('[id^="operations-predict-predict"]')
    expect(predict).to_have_count(1)
    predict.click()
    predict.get_by_role("button", name="Try it out").click()
    predict.get_by_role("button", name="Execute").click()
    expect(predict.locator(".live-responses-table").get_by_text('"session_id"')).to_be_visible()
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {llamacpp.removeprefix("http://")}
    assert said == []
