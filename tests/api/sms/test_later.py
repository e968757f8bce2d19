"""Replies that take long: sent later through Twilio's REST API, or kept for /more."""

import logging
import threading
import time
from typing import Any

import httpx
import pytest

from api.sms import outbox
from api.sms.webhook import SLOW, SORRY
from tests.api.conftest import Serve, idle, wait
from tests.api.sms.conftest import OURS, SIGNED, THEIRS, Phone, Twilio
from tests.loopback import Loopback

QUICK = {**SIGNED, "SMS_WAIT": "0.2"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RETRY_DELAYS", (0.05, 0.05, 0.05))


def slowly(loopback: Loopback, seconds: float = 0.6, reply: str = "It took a while. But here I am.") -> None:
    """From now on each reply comes after so long."""

    def answer(_: dict[str, Any]) -> str:
        time.sleep(seconds)  # the stand-in's loop: nobody else asks it meanwhile
        return reply

    loopback.answer = answer


def test_a_slow_reply_is_sent_later(serve: Serve, loopback: Loopback, twilio: Twilio) -> None:
    phone = Phone(serve(**QUICK))
    slowly(loopback)
    begun = time.monotonic()
    assert phone.text("hi") == ""
    assert time.monotonic() - begun < 0.5
    wait(lambda: twilio.sent)
    assert twilio.sent == [{"To": THEIRS, "From": OURS, "Body": "It took a while. But here I am."}]
    assert phone.text("/more") == "It took a while. But here I am."
    assert twilio.tries == 1


def test_it_is_cut_like_every_reply(serve: Serve, loopback: Loopback, twilio: Twilio) -> None:
    slowly(loopback, reply="I have 2.5 cats. " * 20)
    assert Phone(serve(**QUICK, SMS_LENGTH="70")).text("hi") == ""
    wait(lambda: twilio.sent)
    assert twilio.sent[0]["Body"] == " ".join(["I have 2.5 cats."] * 4)


def test_without_an_account_it_is_kept_for_more(serve: Serve, loopback: Loopback) -> None:
    phone = Phone(serve(**QUICK))
    slowly(loopback, 0.8)
    assert phone.text("hi") == SLOW
    assert phone.text("/more") == SLOW
    wait(lambda: idle("openai"))
    assert phone.text("/more") == "It took a while. But here I am."


def test_a_send_that_fails_is_tried_again(
    serve: Serve, loopback: Loopback, twilio: Twilio, caplog: pytest.LogCaptureFixture
) -> None:
    twilio.script = [500, 429]
    slowly(loopback)
    with caplog.at_level(logging.DEBUG):
        Phone(serve(**QUICK)).text("hi")
        wait(lambda: twilio.sent)
    assert twilio.tries == 3
    told = [record.getMessage() for record in caplog.records if record.name == outbox.__name__]
    assert told == [f"a text message could not be sent: Twilio answered {n}, code 21211" for n in (500, 429)]
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith(("api", "twilio", "urllib3")))
    assert THEIRS.lstrip("+") not in ours
    assert "took a while" not in ours


@pytest.mark.parametrize("status", [400, 401])
def test_what_twilio_refuses_is_not_tried_again(
    serve: Serve, loopback: Loopback, twilio: Twilio, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    twilio.script = [status]
    slowly(loopback)
    phone = Phone(serve(**QUICK))
    phone.text("hi")
    wait(lambda: "given up" in caplog.text)
    assert (twilio.tries, twilio.sent) == (1, [])
    assert phone.text("/more") == "It took a while. But here I am."


def test_nobody_at_the_address_is_given_up(
    serve: Serve, loopback: Loopback, twilio: Twilio, caplog: pytest.LogCaptureFixture
) -> None:
    slowly(loopback)
    Phone(serve(**QUICK, TWILIO_API_URL="http://127.0.0.1:9")).text("hi")
    wait(lambda: "given up" in caplog.text)
    assert caplog.text.count("could not be sent: ConnectionError") == 4


def test_a_late_failure_is_told_in_words(serve: Serve, loopback: Loopback, twilio: Twilio) -> None:
    loopback.script.append("slow")
    Phone(serve(**QUICK, REPLY_TIMEOUT="0.5")).text("hi")
    wait(lambda: twilio.sent)
    assert twilio.sent[0]["Body"] == SORRY
    wait(lambda: loopback.gone and idle("openai"))  # it took longer than REPLY_TIMEOUT


def test_after_reset_nothing_is_sent(serve: Serve, loopback: Loopback, twilio: Twilio) -> None:
    phone = Phone(serve(**QUICK, MAX_QUEUE="1"))
    loopback.script.append("slow")
    assert phone.text("hi") == ""
    assert phone.text("hello?") == SORRY  # the place in the queue is held until the end
    wait(lambda: loopback.requests)  # on a busy machine the reply may not have got to the server yet
    assert "anew" in phone.text("/reset")
    wait(lambda: loopback.gone and idle("openai"))
    assert twilio.sent == []
    assert phone.text("hi") in {loopback.reply, ""}  # nothing at once where this machine takes longer than SMS_WAIT


def test_twilio_that_hangs_up_gets_it_later(serve: Serve, loopback: Loopback, twilio: Twilio) -> None:
    client = serve(**{**SIGNED, "SMS_WAIT": "5"})
    slowly(loopback, 0.8)
    client.timeout = httpx.Timeout(0.4)
    with pytest.raises(httpx.ReadTimeout):
        Phone(client).post("hi", sid="SM1")
    client.timeout = httpx.Timeout(5)
    assert Phone(client).text("hi", sid="SM1") == ""  # sent again
    wait(lambda: twilio.sent)
    assert [each["Body"] for each in twilio.sent] == ["It took a while. But here I am."]
    assert len(loopback.requests) == 1


def test_the_next_message_waits_its_turn(serve: Serve, loopback: Loopback, twilio: Twilio) -> None:
    phone = Phone(serve(**QUICK))
    slowly(loopback, 0.4)
    texts = [threading.Thread(target=phone.text, args=(said,)) for said in ("one", "two")]
    for text in texts:
        text.start()
        time.sleep(0.1)
    wait(lambda: len(twilio.sent) == 2)
    said = [message["content"] for message in loopback.requests[-1]["messages"] if message["role"] != "system"]
    assert said == ["one", "It took a while. But here I am. ", "two"]
    for text in texts:
        text.join()
