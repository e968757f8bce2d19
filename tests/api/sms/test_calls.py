"""Tools by text message: a call is asked about in words, and answered with yes or no."""

import json

from tests.api.conftest import Serve
from tests.api.sms.conftest import SIGNED, Phone
from tests.conversations.replies.web import Web
from tests.loopback import Loopback


def test_yes_and_no_answer_a_call(serve: Serve, loopback: Loopback, web: Web) -> None:
    reads = f"call read_page {json.dumps({'url': web.url()})}"
    loopback.script.extend([f"I look.\n{reads}", "say It is closed.", reads, "say As you like.", "say Fine."])
    phone = Phone(serve(**SIGNED, SMS_TOOLS="read_page"))
    asks = f"read_page wants to be called with {json.dumps({'url': web.url()})}. Reply yes or no."
    assert phone.text("Is it open?") == f"I look.\n{asks}"
    assert web.asked == []
    assert phone.text("Yes") == "I look. \n\nIt is closed."
    assert phone.text("And now?") == asks
    assert phone.text("no") == "As you like."
    assert phone.text("yes") == "Fine.", "nothing waits: it is a message like any other"
    assert web.asked == ["/"]
