"""/sms as Twilio calls it."""

import logging
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from api.sms.webhook import EMPTY, HELP, SORRY
from conversations.exchange.exporter import export_conversation
from conversations.store.database import connect
from conversations.store.store import Store
from identity import pseudonyms
from settings import Settings
from tests.api.conftest import Serve
from tests.api.sms.conftest import PUBLIC, SIGNED, THEIRS, TOKEN, Phone
from tests.loopback import Loopback


def stored(number: str = THEIRS) -> Store:
    settings = Settings.read()
    return Store(connect(settings.database_url), f"sms:{pseudonyms(settings).of('phone', number)}")


def asked(loopback: Loopback) -> list[str]:
    """The last prompt, without its system message."""
    return [message["content"] for message in loopback.requests[-1]["messages"] if message["role"] != "system"]


def test_a_text_is_answered_and_remembered_by_number(serve: Serve, loopback: Loopback) -> None:
    client = serve(**SIGNED)
    one, two = Phone(client), Phone(client, "+15557654321")
    loopback.reply = "I am fine & <well>, 谢谢."
    assert one.text("hi") == loopback.reply
    assert one.text("and now?")
    assert asked(loopback) == ["hi", loopback.reply + " ", "and now?"]
    assert two.text("hello")
    assert asked(loopback) == ["hello"]
    assert len(stored().listing()) == 1


def test_a_text_message_holds_nothing_of_what_was_thought(serve: Serve, loopback: Loopback) -> None:
    phone = Phone(serve(**SIGNED))
    loopback.script.append("think 3")
    assert phone.text("hi") == loopback.reply
    assert phone.text("/more") == loopback.reply
    [kept] = stored().listing()
    assert "thought2" in str(export_conversation(stored(), kept.id)["messages"][1]["thinking"])
    phone.text("and now?")
    assert "thought" not in str(asked(loopback))


def test_the_shipped_model_answers(serve: Serve) -> None:
    assert Phone(serve(**{**SIGNED, "LLM_BACKEND": "llamacpp"})).text("hi, how are you?") not in {"", SORRY}


def test_a_wrong_signature_is_403_and_begins_nothing(serve: Serve, loopback: Loopback) -> None:
    client = serve(**SIGNED, API_KEYS="key")
    for wrong in (Phone(client, token="b" * 32), Phone(client, url="https://elsewhere.example.org")):
        answer = wrong.post("hi")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "invalid_signature")
        assert TOKEN not in answer.text
    unsigned = client.post("/sms", data={"From": THEIRS, "Body": "hi"}, headers={"Authorization": "Bearer key"})
    assert unsigned.status_code == 403
    assert loopback.requests == []
    assert Phone(client).text("hi")  # the signature is the proof: no key is sent


def test_a_signature_covers_the_query_and_empty_fields(serve: Serve, loopback: Loopback) -> None:
    client = serve(**SIGNED)
    phone = Phone(client)
    assert phone.post("hi", MediaUrl0="", City="").status_code == 200
    from twilio.request_validator import RequestValidator

    form = {"From": THEIRS, "Body": "hi"}
    signature = RequestValidator(TOKEN).compute_signature(f"{PUBLIC}/sms?a=b%20c&d", form)
    headers = {"X-Twilio-Signature": signature}
    assert client.post("/sms?a=b%20c&d", data=form, headers=headers).status_code == 200
    assert client.post("/sms?a=other", data=form, headers=headers).status_code == 403


def test_without_a_token_a_key_is_asked_for(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai", API_KEYS="key")
    form = {"From": THEIRS, "Body": "hi"}
    assert client.post("/sms", data=form).status_code == 401
    assert client.post("/sms", data=form, headers={"Authorization": "Bearer key"}).status_code == 200


def test_without_both_everybody_may(serve: Serve, loopback: Loopback) -> None:
    assert serve(LLM_BACKEND="openai").post("/sms", data={"From": THEIRS, "Body": "hi"}).status_code == 200


def test_commands(serve: Serve, loopback: Loopback) -> None:
    phone = Phone(serve(**SIGNED))
    assert phone.text(" /HELP ") == HELP
    assert phone.text("/more") == HELP  # nothing was said yet
    assert phone.text("   ") == phone.text(None) == EMPTY
    assert stored().listing() == []
    said = phone.text("hi")
    assert phone.text("/More") == said
    assert "anew" in phone.text(" /Reset")
    phone.text("what did I say?")
    assert asked(loopback) == ["what did I say?"]
    assert len(loopback.requests) == 2


def test_each_new_chat_has_another_persona(serve: Serve, loopback: Loopback) -> None:
    phone, seen = Phone(serve(**SIGNED)), []
    phone.text("hi")
    for _ in range(8):
        persona = stored().listing()[0].persona
        assert persona is not None
        seen.append(persona["slug"])
        assert persona["sentences"][0] in str(loopback.requests[-1]["messages"][0])
        told = phone.text("/reset")
        now = stored().listing()[0].persona
        assert now is not None
        assert now["name"] in told
        phone.text("hi")
    assert all(before != after for before, after in pairwise(seen))
    assert len(set(seen)) > 2


def test_a_long_reply_is_cut_to_whole_sentences(serve: Serve, loopback: Loopback) -> None:
    loopback.reply = "I have 2.5 cats. " * 20
    said = Phone(serve(**SIGNED, SMS_LENGTH="70")).text("hi")
    assert said == " ".join(["I have 2.5 cats."] * 4)


def test_what_twilio_sends_again_is_answered_once(serve: Serve, loopback: Loopback, database_url: str) -> None:
    phone = Phone(serve(**SIGNED))
    loopback.script.append("slow")  # 10 seconds: it still runs at the reset below
    found: list[str] = []
    asks = [threading.Thread(target=lambda: found.append(phone.text("hi", sid="SM1"))) for _ in range(4)]
    for ask in asks:
        ask.start()
    for _ in range(250):
        time.sleep(0.02)
        if len(found) == 3 and loopback.sent:
            break
    assert found == ["", "", ""]
    assert "anew" in phone.text("/reset", sid="SM2")
    assert phone.text("/reset", sid="SM2") == ""
    for ask in asks:
        ask.join(5)
    assert len(loopback.requests) == 1
    assert found[3] == ""  # the reply was stopped
    assert phone.text("hi", sid="SM1") == ""
    assert phone.text("hi", sid="SM3") != ""


def test_a_failed_reply_is_told_in_words(serve: Serve, loopback: Loopback) -> None:
    phone = Phone(serve(**SIGNED, MAX_QUEUE="1"))
    loopback.script.append("refuse x")
    assert phone.text("hi") == SORRY
    assert phone.text("/more") == SORRY
    assert phone.text("still there?") == loopback.reply
    assert "100,000" in phone.text("x" * 100_001)


def test_without_a_backend_it_is_told_in_words(serve: Serve) -> None:
    broken = {**SIGNED, "LLM_BACKEND": "", "LLAMACPP_MODEL": "/no/such.gguf", "GPT2_MODEL": "/no/such"}
    assert Phone(serve(**broken)).text("hi") == SORRY


@pytest.mark.parametrize(
    ("body", "param"),
    [("", "From"), ("Body=hi", "From"), ("From=%20&Body=hi", "From"), ("\xff=1", None), ("a=b&" * 300, None)],
)
def test_what_is_no_message_is_400(serve: Serve, body: str, param: str | None) -> None:
    client = serve()
    answer = client.post("/sms", content=body.encode("latin-1"))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_limit_counts_by_number(serve: Serve, loopback: Loopback) -> None:
    client = serve(**SIGNED, RATE_LIMIT="1/hour")
    assert Phone(client).text("hi")
    assert Phone(client).post("hi").status_code == 429
    assert Phone(client, "+15557654321").text("hi")


def test_a_quota_counts_by_number(serve: Serve, loopback: Loopback) -> None:
    client = serve(**SIGNED, TOKEN_QUOTA="5")
    assert Phone(client).text("hi")
    for _ in range(100):
        if Phone(client).post("/help").status_code == 429:
            break
        time.sleep(0.02)
    assert Phone(client).post("hi").status_code == 429
    assert Phone(client, "+15557654321").text("hi")


def test_the_number_is_kept_nowhere(serve: Serve, loopback: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        phone = Phone(serve(**SIGNED))
        phone.text("my secret")
        loopback.script.append("refuse x")
        phone.text("my other secret")
        phone.text("/reset")
        phone.text("my third secret")
    found = stored()
    exported = export_conversation(found, found.listing()[0].id)
    digits = THEIRS.lstrip("+")
    for folder in Path.cwd().rglob("*"):
        assert not folder.is_file() or digits.encode() not in folder.read_bytes()
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith(("api", "conversations", "twilio")))
    assert digits not in f"{ours}{exported}"
    assert "secret" not in ours


def test_a_token_without_the_address_ends_the_start(tmp_path: Path) -> None:
    from settings import ROOT

    given = {**os.environ, "PYTHONPATH": str(ROOT), "TWILIO_AUTH_TOKEN": TOKEN}
    command = [sys.executable, "-m", "uvicorn", "api:app", "--port", "0"]
    ended = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=300)
    assert ended.returncode != 0
    assert "Set PUBLIC_URL" in ended.stderr
    assert TOKEN not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_the_package_it_says_how_to_get_it(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve()
    monkeypatch.setitem(sys.modules, "twilio", None)
    answer = client.post("/sms", data={"From": THEIRS, "Body": "hi"})
    assert answer.status_code == 503
    assert "requirements-sms.txt" in answer.json()["error"]["message"]


def test_it_is_documented_as_a_form(serve: Serve) -> None:
    found = serve().get("/openapi.json").json()["paths"]["/sms"]["post"]
    assert "application/x-www-form-urlencoded" in found["requestBody"]["content"]
    assert list(found["responses"]["200"]["content"]) == ["application/xml"]


def test_another_page_cannot_send(serve: Serve) -> None:
    answer = serve().post("/sms", data={"From": THEIRS}, headers={"Origin": "https://evil.example.org"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
