"""Limits, as clients meet them: told in headers, held for every route that makes replies, paid once."""

import time
from typing import Any

import httpx
import openai
import pytest
from twilio.request_validator import RequestValidator

from api.http.limits import Limits, format_duration
from api.http.state import create_state
from conversations.store.database import connect
from settings import SettingsError
from tests.api.conftest import Serve
from tests.api.process import served
from tests.loopback import Loopback

HI = {"model": "default", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
REPLIES: list[tuple[str, dict[str, Any]]] = [
    ("/predict", {"text": "hi", "max_tokens": 5}),
    ("/v1/chat/completions", HI),
    ("/v1/completions", {"model": "default", "prompt": "hi", "max_tokens": 5}),
    ("/v1/responses", {"model": "default", "input": "hi", "max_output_tokens": 5}),
]


def left(client: httpx.Client, name: str = "", what: str = "tokens", **headers: str) -> int:
    """What a request says is left; the request itself is refused for its form, and costs no token."""
    answer = client.post("/v1/chat/completions", json={}, headers={**({"Authorization": name} if name else {})})
    assert answer.status_code == 400, answer.text
    return int(answer.headers[f"x-ratelimit-remaining-{what}"])


def settled(client: httpx.Client, before: int, name: str = "") -> int:
    """What is left once it is less than before."""
    end = time.monotonic() + 300
    while (now := left(client, name)) == before and time.monotonic() < end:
        time.sleep(0.02)
    return now


def test_requests_are_counted_told_and_refused(serve: Serve) -> None:
    client = serve(RATE_LIMIT="4/minute")
    seen = []
    for path, body in REPLIES:
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-ratelimit-limit-requests"] == "4"
        assert answer.headers["x-ratelimit-reset-requests"] in {"1m0s", "59s", "58s"}
        assert "x-ratelimit-limit-tokens" not in answer.headers
        seen.append(answer.headers["x-ratelimit-remaining-requests"])
    assert seen == ["3", "2", "1", "0"]
    for path, body in REPLIES:
        refused = client.post(path, json=body)
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert client.get("/v1/models").status_code == 200
    assert client.get("/health").status_code == 200


def test_a_telephone_counts_by_its_number_where_twilio_signs(serve: Serve) -> None:
    address = "https://sms.example"
    client = serve(RATE_LIMIT="1/minute", TWILIO_AUTH_TOKEN="secret", PUBLIC_URL=address)

    def text(number: str) -> int:
        form = {"From": number, "Body": "/help"}
        signature = RequestValidator("secret").compute_signature(f"{address}/sms", form)
        return client.post("/sms", data=form, headers={"X-Twilio-Signature": signature}).status_code

    assert [text(number) for number in ("+15005550001", "+15005550001", "+15005550002")] == [200, 429, 200]


def test_the_window_ends(serve: Serve) -> None:
    client = serve(RATE_LIMIT="1 per 1 second")
    path, body = REPLIES[0]
    assert [client.post(path, json=body).status_code for _ in range(2)] == [200, 429]
    time.sleep(1.05)
    assert client.post(path, json=body).status_code == 200


def test_headers_come_with_streams_and_with_errors(serve: Serve) -> None:
    client = serve(RATE_LIMIT="9/minute")
    for body, status in (({**HI, "stream": True}, 200), ({**HI, "model": "no-such"}, 404), ({}, 400)):
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == status
        assert answer.headers["x-ratelimit-limit-requests"] == "9"


def test_each_key_has_its_own(serve: Serve) -> None:
    client = serve(RATE_LIMIT="1/minute", API_KEYS="one,two")
    path, body = REPLIES[1]

    def ask(key: str) -> int:
        return client.post(path, json=body, headers={"Authorization": f"Bearer {key}"}).status_code

    assert [ask("one"), ask("one"), ask("two"), ask("two"), ask("wrong")] == [200, 429, 200, 429, 401]


def test_every_reply_is_paid_once_whichever_way_it_was_asked_for(serve: Serve) -> None:
    client = serve(TOKEN_QUOTA="100000")
    before = left(client)
    assert before == 100000
    for path, body in REPLIES:
        answer = client.post(path, json=body).json()
        usage = answer.get("usage", answer)
        names = ("input_tokens", "output_tokens") if "input_tokens" in usage else ("prompt_tokens", "completion_tokens")
        after = settled(client, before)
        assert before - after == sum(usage[name] for name in names), path
        before = after
    stream = client.post(REPLIES[1][0], json={**HI, "stream": True, "stream_options": {"include_usage": True}})
    total = int(stream.text.rpartition('"total_tokens":')[2].strip().partition("}")[0].partition(",")[0])
    assert before - settled(client, before) == total


def test_a_stopped_reply_is_paid_as_far_as_it_came(serve: Serve, loopback: Loopback) -> None:
    client = serve(TOKEN_QUOTA="100000", LLM_BACKEND="openai")
    loopback.script.append("slow")
    body = {**HI, "messages": [{"role": "user", "content": "x" * 4000}], "stream": True, "max_tokens": 900}
    before = left(client)
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        next(answer.iter_lines())
    paid = before - settled(client, before)
    assert 1001 <= paid < 1020  # 4000 characters are about 1000 tokens, and a word came or a few


def test_a_reply_that_failed_costs_nothing(serve: Serve, loopback: Loopback) -> None:
    client = serve(TOKEN_QUOTA="1000", LLM_BACKEND="openai")
    loopback.script.extend(["refuse x"])
    assert client.post("/v1/chat/completions", json=HI).status_code == 400
    time.sleep(0.2)
    assert left(client) == 1000


def test_a_spent_day_is_insufficient_quota_for_the_official_client(serve: Serve) -> None:
    client = serve(TOKEN_QUOTA="8", API_KEYS="one,two")
    address = f"{str(client.base_url).rstrip('/')}/v1"
    asked = openai.OpenAI(base_url=address, api_key="one", max_retries=0)
    asked.chat.completions.create(model="default", messages=[{"role": "user", "content": "hi"}], max_tokens=5)
    time.sleep(0.2)
    with pytest.raises(openai.RateLimitError) as raised:
        asked.chat.completions.create(model="default", messages=[{"role": "user", "content": "hi"}])
    assert raised.value.code == "insufficient_quota"
    headers = raised.value.response.headers
    assert headers["x-ratelimit-remaining-tokens"] == "0"
    assert headers["x-ratelimit-reset-tokens"].startswith(("23h59m", "24h0m"))
    assert int(headers["retry-after"]) > 86000
    other = openai.OpenAI(base_url=address, api_key="two", max_retries=0)
    other.chat.completions.create(model="default", messages=[{"role": "user", "content": "hi"}], max_tokens=5)
    for one in (asked, other):
        one.close()


def test_counts_outlive_the_server_and_are_shared_by_processes(tmp_path: Any, database_url: str) -> None:
    path, body = REPLIES[0]
    limits = {"RATE_LIMIT": "3/minute", "TOKEN_QUOTA": "100000", "COOKIE_SECRET": "s" * 40}
    with served(tmp_path, **limits) as one, served(tmp_path, **limits) as two:
        first = httpx.post(one.url + path, json=body, timeout=300)
        second = httpx.post(two.url + path, json=body, timeout=300)
        assert [a.headers["x-ratelimit-remaining-requests"] for a in (first, second)] == ["2", "1"]
    with served(tmp_path, **limits) as three:
        third = httpx.post(three.url + path, json=body, timeout=300)
        assert third.headers["x-ratelimit-remaining-requests"] == "0"
        used = 100000 - int(third.headers["x-ratelimit-remaining-tokens"])
        spent = [a.json()["prompt_tokens"] + a.json()["completion_tokens"] for a in (first, second)]
        assert used == sum(spent)  # what was charged last was written before the servers ended
        assert httpx.post(three.url + path, json=body).status_code == 429


def test_another_storage_of_the_library_counts_as_well(serve: Serve) -> None:
    client = serve(RATE_LIMIT="2/minute", TOKEN_QUOTA="50", LIMITS_STORAGE="memory://")
    path, body = REPLIES[0]
    seen = [client.post(path, json=body) for _ in range(3)]
    assert [a.status_code for a in seen] == [200, 200, 429]
    assert [a.headers["x-ratelimit-remaining-requests"] for a in seen] == ["1", "0", "0"]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LIMITS_STORAGE", "redis://u:sesame@127.0.0.1:1", r"pip install redis|does not answer"),
        ("LIMITS_STORAGE", "nothing://u:sesame@127.0.0.1", r"no such kind of storage"),
        ("RATE_LIMIT", "often", r"^RATE_LIMIT=often: .* as in 60/minute"),
        ("RATE_LIMIT", "1/second;2/minute", r"^RATE_LIMIT=1/second;2/minute: .*one limit is wanted"),
        ("TOKEN_QUOTA", "0", r"^TOKEN_QUOTA=0: "),
    ],
)
def test_what_cannot_be_is_named_at_the_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=said) as raised:
        create_state()
    assert "sesame" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_counting_takes_about_a_millisecond(monkeypatch: pytest.MonkeyPatch, database_url: str, settings: Any) -> None:
    monkeypatch.setenv("RATE_LIMIT", "100000/minute")
    monkeypatch.setenv("TOKEN_QUOTA", "100000")
    from api.settings import ApiSettings

    limits, took = Limits(ApiSettings.read(), connect(database_url)), []
    for _ in range(100):
        begun = time.perf_counter()
        assert limits.hit("me").error is None
        took.append(time.perf_counter() - begun)
    assert sorted(took)[50] < 0.02  # 1 ms on a quiet machine, 2 on PostgreSQL


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (0.2, "1s"), (60, "1m0s"), (360, "6m0s"), (3605, "1h0m5s")])
def test_spans_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
