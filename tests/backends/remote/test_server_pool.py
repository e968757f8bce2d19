"""Who is asked next, and for how long a server that failed is left out."""

from langchain_core.exceptions import ModelConnectionError, ModelError, ModelTimeoutError

from backends.remote.server_pool import Lease, Server, ServerPool


def fail(place: Lease | None, error: ModelError) -> Server:
    """A request at this place fails."""
    assert place is not None
    with place:
        raise error
    return place.server


def take(of: ServerPool, forced: bool = True) -> Lease | None:
    return of.acquire(of.servers, lambda error: False, forced)


def test_the_pause_grows_up_to_a_minute_and_is_forgotten_with_an_answer() -> None:
    one = ServerPool(["http://a/v1"])
    pauses = []
    for _ in range(9):
        server = fail(take(one), ModelTimeoutError("x"))
        pauses.append(server.retry_at - server.failed_at)
    for number, pause in enumerate(pauses):
        assert min(60, 0.8 * 2**number) <= pause <= min(60, 1.2 * 2**number)
    assert take(one, forced=False) is None
    place = take(one)
    assert place is not None
    with place:
        place.mark_started()
    server = fail(take(one), ModelTimeoutError("x"))
    assert server.retry_at - server.failed_at <= 1.2


def test_requests_that_fail_together_are_one_failure() -> None:
    one = ServerPool(["http://a/v1"])
    places = [take(one) for _ in range(20)]
    for place in places:
        fail(place, ModelConnectionError("x"))
    assert one.servers[0].failures == 1
    assert one.servers[0].running == 0


def test_after_its_pause_a_server_gets_one_request_until_that_is_answered() -> None:
    both = ServerPool(["http://a/v1", "http://b/v1"])
    failed = fail(take(both), ModelConnectionError("x"))
    failed.retry_at = 0.0
    places = [take(both) for _ in range(4)]
    found = [place.server.address[7] for place in places if place is not None]
    assert found == ["b", "a", "b", "b"]
    assert places[1] is not None
    places[1].mark_started()
    assert [place.server.address[7] for place in (take(both), take(both)) if place is not None] == ["a", "a"]
