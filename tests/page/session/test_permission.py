"""Who may change what lies on the disk, by the address a page was asked for at."""

import pytest

from exposure import is_local


@pytest.mark.parametrize(
    ("host", "headers", "local"),
    [
        ("127.0.0.1", {"Host": "localhost:8501"}, True),
        ("127.0.0.1", {"host": "127.0.0.1:8501"}, True),
        ("localhost", {"Host": "[::1]:8501"}, True),
        ("0.0.0.0", {"Host": "localhost:8501"}, False),
        ("192.168.1.5", {"Host": "localhost:8501"}, False),
        ("127.0.0.1", {"Host": "chat.example.org"}, False),
        ("127.0.0.1", {"Host": "localhost", "X-Forwarded-For": "10.0.0.9"}, False),
        ("127.0.0.1", {"Host": "localhost", "Forwarded": "for=10.0.0.9"}, False),
    ],
)
def test_only_a_page_on_this_machine_is_local(host: str, headers: dict[str, str], local: bool) -> None:
    assert is_local(host, headers) is local
