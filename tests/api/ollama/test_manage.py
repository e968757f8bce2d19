"""A model pulled from a hub on this machine and removed, by Ollama's own client of a server that wants keys."""

import json
import os
import subprocess
import sys
from pathlib import Path

import ollama
import pytest

import backends
from tests.api.conftest import Serve
from tests.api.node import run_node
from tests.api.ollama.conftest import GREEDY, HI, client
from tests.conftest import GGUF
from tests.hub import GATED, Hub

pytestmark = pytest.mark.usefixtures("fresh_backends")
ONE = "hf.co/me/one"
LISTED = "llamacpp:me/one/talker-Q4_K_M"
PROGRAMS = Path(sys.executable).parent
SIZE = GGUF.stat().st_size
NAMED = {"LLAMACPP_MODEL": str(GGUF), "API_MODELS": "llamacpp:*", "API_KEYS": "a-key"}


def names(served: ollama.Client) -> set[str | None]:
    """What /api/tags lists."""
    return {each.model for each in served.list().models}


def test_a_model_is_pulled_answers_and_is_removed(serve: Serve, hub: Hub, tmp_path: Path) -> None:
    served = client(serve(**NAMED), "a-key")
    assert LISTED not in names(served)
    hub.pause = 0.01  # a line of progress is told meanwhile
    told = list(served.pull(f"{ONE}:Q4_K_M", stream=True))
    assert (told[0].status, told[-1].status) == ("pulling manifest", "success")
    steps = [each for each in told if each.digest]
    done = [each.completed or 0 for each in steps]
    assert {each.total for each in steps} == {SIZE}
    assert done == sorted(done)
    assert done[-1] == SIZE
    (path,) = tmp_path.rglob("*.gguf")
    assert path.read_bytes() == GGUF.read_bytes()
    assert LISTED in names(served)
    assert served.show(ONE).details == served.show(LISTED).details
    said = [served.chat(name, HI, options=GREEDY).message.content for name in (ONE, f"{ONE}:Q4_K_M", LISTED)]
    assert said[0]
    assert said == [served.chat("default", HI, options=GREEDY).message.content] * 3
    hub.asked.clear()
    assert served.pull(ONE).status == "success"
    assert all(name != path.name for name, _ in hub.asked), "it is there"
    assert LISTED in {each.model for each in served.ps().models}
    assert served.delete(f"{ONE}:Q4_K_M").status == "success"
    assert list(tmp_path.rglob("*.gguf")) == []
    assert LISTED not in names(served)
    assert backends.resident(LISTED) is None, "its memory is free"
    for gone in (ONE, LISTED):
        with pytest.raises(ollama.ResponseError) as refused:
            served.chat(gone, HI)
        assert refused.value.status_code == 404


def test_ollamas_client_for_node_pulls_and_removes(serve: Serve, hub: Hub) -> None:
    told = run_node("ollama/manage.mjs", serve(**{**NAMED, "API_KEYS": ""}), f"{ONE}:Q4_K_M")
    assert len(told["statuses"]) == len([each for each in told["statuses"] if each.startswith("pulling")]) + 1
    assert (told["statuses"][0], told["statuses"][-1], told["deleted"]) == ("pulling manifest", "success", "success")
    assert told["completed"] == SIZE
    assert LISTED in told["pulled"]
    assert told["said"]
    assert LISTED not in told["left"]


def test_a_program_that_speaks_only_this_keeps_models_and_talks(serve: Serve, hub: Hub, tmp_path: Path) -> None:
    host = str(serve(**NAMED).base_url)
    known = {"OLLAMA_API_KEY": "a-key", "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "200"}

    def rich(*words: str, answer: str = "") -> str:
        command = [str(PROGRAMS / "ollama-rich"), "--host", host, *words]
        given = {**os.environ, **known}
        done = subprocess.run(
            command, input=answer, env=given, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "talker" not in rich("models")
    assert "pulled successfully" in rich("pull", ONE)
    assert LISTED in rich("models")
    assert "loaded into memory successfully" in rich("load", ONE)
    assert LISTED in rich("ps")
    whole = rich("chat", "-m", LISTED, "hi, how are you?").removeprefix(f"Using model: {LISTED}")
    assert whole.strip()
    assert rich("chat", "-s", "-m", ONE, "hi, how are you?").strip()
    seen = json.loads(watch(host))
    assert [each["name"] for each in seen["models"]] == [LISTED]
    assert "deleted successfully" in rich("delete", LISTED, answer="y\n")
    assert "talker" not in rich("models")


def watch(host: str) -> str:
    """What a monitor of models in memory sees."""
    command = [str(PROGRAMS / "mtop"), "-u", host, "--no-docker", "--json", "-H", "Authorization: Bearer a-key"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_cannot_be_pulled_or_removed_is_said(serve: Serve, hub: Hub, tmp_path: Path) -> None:
    http = serve(**NAMED)
    served = client(http, "a-key")

    def refusal(ask: str, name: str, key: str = "a-key") -> tuple[int, str]:
        with pytest.raises(ollama.ResponseError) as caught:
            getattr(client(http, key), ask)(name)
        return caught.value.status_code, caught.value.error

    assert refusal("pull", ONE, "wrong")[0] == refusal("delete", LISTED, "wrong")[0] == 401
    assert refusal("pull", "llama3.2") == (
        404,
        "llama3.2: models are pulled from the hub alone. Write hf.co/owner/name, or with :Q4_K_M.",
    )
    status, text = refusal("pull", f"{ONE}:Q8_0")
    assert (status, "no Q8_0" in text) == (502, True)
    with pytest.raises(ollama.ResponseError, match="gated"):
        list(served.pull(f"hf.co/{GATED}", stream=True))
    assert refusal("delete", "llamacpp:gone")[0] == 404
    status, text = refusal("delete", "llamacpp:model-f16")
    assert status in {400, 404}
    assert GGUF.exists()
    assert list(tmp_path.rglob("*.gguf")) == []
    closed = client(serve(**{**NAMED, "API_MODELS": ""}), "a-key")
    assert any("API_MODELS has llamacpp:*" in (each.status or "") for each in closed.pull(ONE, stream=True))
    abroad = client(serve(**NAMED, MODELS_DOWNLOAD="none"), "a-key")
    for ask in (abroad.pull, abroad.delete):
        with pytest.raises(ollama.ResponseError, match="MODELS_DOWNLOAD") as refused:
            ask(ONE)
        assert refused.value.status_code == 403
