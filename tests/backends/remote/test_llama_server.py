"""Thinking at a real llama-server, over SmolLM2 with a template that opens it; where LLAMA_SERVER_BIN names one.

It is told to leave what is thought in the text, as an operator may have it; benchmarks/README.md says how it is built.
"""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from openai import OpenAI

import backends
from tests.api.conftest import Serve
from tests.api.conftest import serve as serve_api  # noqa: F401 (a fixture)
from tests.backends.remote.conftest import ask
from tests.conftest import answers, free_port
from tests.smollm2 import needs_smollm2

pytestmark = [
    needs_smollm2,
    pytest.mark.skipif("LLAMA_SERVER_BIN" not in os.environ, reason="LLAMA_SERVER_BIN names no llama-server"),
]
BUDGET = 12  # tokens that the server lets it think, and then ends that itself
TEMPLATE = """{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.reasoning_content %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
<think>
{% if enable_thinking is defined and enable_thinking is false %}
</think>

{% endif %}{% endif %}"""
STORY = "Tell me a story of a fox."


@pytest.fixture(scope="module")
def llama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of the server."""
    template, port = tmp_path_factory.mktemp("server") / "thinks.jinja", free_port()
    template.write_text(TEMPLATE)
    command = [
        os.environ["LLAMA_SERVER_BIN"], "-m", str(backends.shipped.base_gguf()), "--jinja", "--chat-template-file",
        str(template), "--reasoning-format", "none", "--reasoning-budget", str(BUDGET), "-c", "2048", "-np", "1",
        "--host", "127.0.0.1", "--port", str(port), "--offline",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            answers(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _asked(llama_server: str, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", llama_server)
    monkeypatch.setenv("OPENAI_TIMEOUT", "300")


async def test_it_tells_thinking_apart_where_we_ask(llama_server: str) -> None:
    text, report = await ask(STORY, temperature=0, max_tokens=40)
    assert text.strip()
    assert report.thinking.text.strip()
    assert "think>" not in text + report.thinking.text
    assert 0 < (report.thinking_tokens or 0) <= BUDGET
    assert report.completion_tokens == 40


async def test_switched_off_it_does_not_think() -> None:
    text, report = await ask(STORY, temperature=0, max_tokens=20, chat_template_kwargs={"enable_thinking": False})
    assert text.strip()
    assert report.thinking.text == ""


async def test_what_was_thought_before_reaches_its_template() -> None:
    read = list[int]()
    for beside in ({}, {"reasoning_content": "A fox is an animal that lives in the woods."}):
        history = [HumanMessage("hi"), AIMessage("hello", additional_kwargs=beside)]
        report = (await ask(STORY, history, max_tokens=20))[1]
        read.append(report.prompt_tokens or 0)
    assert read[1] >= read[0] + 10


async def test_what_is_cut_within_it_is_no_empty_reply() -> None:
    with pytest.raises(Exception, match="used all of its 5 tokens for thinking before an answer"):
        await ask(STORY, max_tokens=5)


def test_over_our_api(serve_api: Serve) -> None:  # noqa: F811
    """Nothing is known of the server there: its marks are found in the text."""
    client = OpenAI(base_url=f"{serve_api(LLM_BACKEND='openai').base_url}/v1", api_key="none", max_retries=0)
    asked: Any = {"model": "default", "temperature": 0}
    messages: Any = [{"role": "user", "content": STORY}]
    whole: Any = client.chat.completions.create(**asked, messages=messages, max_tokens=40).choices[0].message
    made = client.responses.create(**asked, input=STORY, max_output_tokens=40)
    assert [item.type for item in made.output] == ["reasoning", "message"]
    item: Any = made.output[0]
    assert (whole.reasoning_content, whole.content) == (item.content[0].text, made.output_text)
    assert "think>" not in whole.content
