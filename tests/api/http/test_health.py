"""Health, as a person, a load balancer and a container engine ask it."""

from tests.api.conftest import Serve


def test_it_says_what_answers_and_what_is_missing(serve: Serve) -> None:
    client = serve()
    for path in ("/", "/health"):
        answer = client.get(path)
        assert answer.status_code == 200
        found = answer.json()
        assert (found["status"], found["backend"], found["database"]) == ("ok", "llamacpp", True)
        rows = {row["name"]: row for row in found["backends"]}
        assert rows["llamacpp"]["ready"]
        assert "OPENAI_API_KEY" in rows["openai"]["problem"]
        head = client.head(path)  # as monitors ask
        assert (head.status_code, head.content) == (200, b"")


def test_it_is_503_where_nothing_can_answer(serve: Serve) -> None:
    client = serve(LLAMACPP_MODEL="/no/such.gguf")
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert client.head("/health").status_code == 503


def test_it_needs_no_key(serve: Serve) -> None:
    assert serve(API_KEYS="one").get("/health").status_code == 200
