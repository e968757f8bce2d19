"""The options of OpenAI-compatible clients mean the same on both backends of this process; what is none is refused."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import HumanMessage

import backends
from backends.llama.sampler import Sampler
from backends.local.sampling import Sampling, read_saved
from settings import DEFAULT_MODEL, Settings
from tests.broken_gguf import rewrite
from tests.conftest import GGUF

PROMPT = "I like music and"  # greedy, this model goes on about the Beatles in circles
CIRCLES: dict[str, Any] = {"raw": True, "temperature": 0, "repetition_penalty": 1.0, "max_tokens": 40,
                           "ignore_eos": True}  # fmt: skip
OPEN: dict[str, Any] = {"raw": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0}


def shares(prompt: str) -> dict[str, float]:
    """Each next token's probability as a part of the likeliest one's, by its text; what ends a reply left out."""
    import torch

    engine: Any = backends.load("gpt2", Settings.read()).engine  # type: ignore[attr-defined]
    with torch.inference_mode():
        logits = engine.pipeline.model(torch.tensor([engine.encode(prompt)])).logits[0, -1]
    logits = logits.clone()
    logits[list(engine._end_ids)] = -torch.inf
    found = torch.exp(logits - logits.max())
    return {engine.token_bytes(token).decode("utf-8", "replace"): float(share) for token, share in enumerate(found)}


@pytest.mark.parametrize(
    "options",
    [{"presence_penalty": 2}, {"presence_penalty": -2}, {"frequency_penalty": 0.7}, {"frequency_penalty": -2.0},
     {"frequency_penalty": 0.5, "presence_penalty": 0.8, "repetition_penalty": 1.15},
     {"repetition_penalty": 1.25}, {"repetition_penalty": 1.25, "repeat_last_n": 3},
     {"repetition_penalty": 1.25, "repeat_last_n": -1}],
)  # fmt: skip
def test_penalties_give_the_same_tokens_on_both(options: dict[str, float], settings: Settings) -> None:
    prompt = "hello" if min(options.values()) < 0 else PROMPT  # where a wish for repetition changes something
    replies = [
        [backends.load(name, settings).invoke(prompt, **{**CIRCLES, **each}).text for each in (options, {})]
        for name in backends.LOCAL
    ]
    assert replies[0] == replies[1]
    assert replies[0][0] != replies[0][1]


def test_penalties_are_for_what_the_reply_said(model: Any) -> None:
    """The prompt's own tokens cost nothing, and each further time that a token is said costs more."""
    prompt = PROMPT + model.invoke(PROMPT, **CIRCLES).text
    first = {**CIRCLES, "max_tokens": 1}
    assert model.invoke(prompt, **first, frequency_penalty=2).text == model.invoke(prompt, **first).text
    twice = {**first, "repetition_penalty": 2.0}
    assert model.invoke(prompt, **twice).text == model.invoke(prompt, **first).text
    assert model.invoke(prompt, **twice, repeat_last_n=-1).text != model.invoke(prompt, **first).text
    assert model.invoke(prompt, **twice, repeat_last_n=40).text != model.invoke(prompt, **first).text
    assert model.invoke(prompt, **twice, repeat_last_n=0).text == model.invoke(prompt, **first).text

    def most(**penalty: float) -> int:
        reply = model.invoke(PROMPT, **{**CIRCLES, "max_tokens": 120}, **penalty)
        return max(Counter(model.get_token_ids(reply.text)).values())

    assert most(frequency_penalty=0.6) < most(presence_penalty=0.6)


def test_min_p_of_one_is_greedy(model: Any) -> None:
    hot = {**CIRCLES, "temperature": 2.0, "top_k": 0, "top_p": 1.0}
    greedy = model.invoke(PROMPT, **CIRCLES).text
    assert model.invoke(PROMPT, **hot, min_p=1, seed=1).text == greedy
    assert model.invoke(PROMPT, **hot, min_p=0, seed=1).text != greedy


def test_min_p_leaves_out_what_is_far_below_the_likeliest(model: Any) -> None:
    share = shares(PROMPT)
    allowed = {text for text, each in share.items() if each >= 0.2}
    assert 3 <= len(allowed) <= 12

    def drawn(times: int, **options: float) -> set[str]:
        return {model.invoke(PROMPT, **OPEN, max_tokens=1, seed=seed, **options).text for seed in range(times)}

    assert drawn(80, min_p=0.2) == allowed
    assert any(share[text] < 0.2 for text in drawn(20))


def test_min_p_is_taken_after_temperature(model: Any) -> None:
    """Heat draws the probabilities together, so that more tokens pass."""
    allowed = {text for text, each in shares(PROMPT).items() if each ** (1 / 2) >= 0.5}
    hot = {**OPEN, "temperature": 2.0}
    drawn = {model.invoke(PROMPT, **hot, max_tokens=1, seed=seed, min_p=0.5).text for seed in range(60)}
    assert drawn == allowed


def test_ignore_eos_goes_on_to_max_tokens(model: Any) -> None:
    ended = model.invoke("hi", temperature=0, max_tokens=60)
    assert ended.usage_metadata["output_tokens"] < 30
    assert ended.response_metadata["finish_reason"] == "stop"
    for options in ({"temperature": 0}, {"temperature": 1.5, "seed": 3}):
        reply = model.invoke("hi", max_tokens=60, ignore_eos=True, **options)
        assert reply.usage_metadata["output_tokens"] == 60
        assert reply.response_metadata["finish_reason"] == "length"
    assert model.invoke("hi", temperature=0, max_tokens=60, ignore_eos=True).text.startswith(ended.text)


def test_a_stop_string_still_ends_it(model: Any) -> None:
    text = model.invoke(PROMPT, **CIRCLES).text
    reply = model.invoke(PROMPT, **CIRCLES, stop=["Beatles"])
    assert reply.text == text[: text.index("Beatles")]
    assert reply.response_metadata["finish_reason"] == "stop"


def test_the_end_of_the_window_still_ends_it(model: Any) -> None:
    reply = model.invoke("very " * 1000, raw=True, max_tokens=500, ignore_eos=True)
    assert reply.usage_metadata["total_tokens"] == 1024
    assert reply.response_metadata["finish_reason"] == "length"


def test_the_next_speaker_is_an_end_too(bare: str) -> None:
    """A model without a chat template ends where a line of the user's begins."""
    model: Any = backends.load(bare, Settings.read())
    for ignored in (False, True):
        decoder = model._request([HumanMessage("hi")], None, print, False, {"ignore_eos": ignored}).request.decoder
        shown = decoder.push(b"Hello!\nUser: and you?") + decoder.close()
        assert shown == ("Hello!\nUser: and you?" if ignored else "Hello!")
        decoder = model._request([HumanMessage("hi")], ["and"], print, False, {"ignore_eos": ignored}).request.decoder
        assert decoder.push(b"You and I") == "You "


@pytest.mark.parametrize(
    ("option", "value"),
    [("min_p", 1.1), ("min_p", -0.1), ("presence_penalty", 2.5), ("frequency_penalty", -3),
     ("frequency_penalty", float("nan")), ("min_p", "much")],
)  # fmt: skip
def test_a_value_out_of_range_is_one_line(model: Any, option: str, value: object) -> None:
    with pytest.raises(ModelInvalidRequestError, match=rf"^{option}={value}: it must be a number from -?\d to \d\.$"):
        model.invoke("hi", max_tokens=2, **{option: value})


def test_an_unknown_option_is_named(name: str, model: Any) -> None:
    with pytest.raises(ModelInvalidRequestError, match=rf"^{name} knows no option logit_bias, n: .*It knows temperat"):
        model.invoke("hi", max_tokens=2, logit_bias={"5": 1}, n=2)
    before = model.engine.sampled_tokens
    with pytest.raises(ModelInvalidRequestError, match="no option temprature"):
        list(model.stream("hi", max_tokens=2, temprature=0))
    assert model.engine.sampled_tokens == before


def test_what_any_chat_model_is_told_is_no_unknown_option(model: Any) -> None:
    reply = model.invoke("hi", temperature=0, max_completion_tokens=3, stream=True, model="default", logit_bias=None)
    assert reply.usage_metadata["output_tokens"] == 3
    assert model.bind(min_p=1.0, stop=["!"]).invoke("hi", temperature=2.0).text == "Hi"


SAVED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 0.6, "top_p": 0.95, "top_k": 20}, {"temperature": 0.6, "top_p": 0.95, "top_k": 20}),
    ({"temperature": 0, "top_p": 0, "top_k": 0, "min_p": 0, "repetition_penalty": 0},
     {"temperature": 0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}),
    ({"temperature": -1.0, "top_p": -1.0, "top_k": -1, "min_p": -1.0, "repetition_penalty": -1.0},
     {"temperature": 0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}),
    ({"repetition_penalty": 1.1}, {"repetition_penalty": 1.1, "repeat_last_n": -1}),
    ({"repetition_penalty": 1.1, "repeat_last_n": 64}, {"repetition_penalty": 1.1, "repeat_last_n": 64}),
    ({"repetition_penalty": 1.1, "repeat_last_n": -1}, {"repetition_penalty": 1.1, "repeat_last_n": -1}),
    ({"repetition_penalty": 1.1, "repeat_last_n": 0}, {}),
    ({"repetition_penalty": 1.0, "repeat_last_n": 64}, {}),
    ({"top_p": 0.8999999761581421, "repetition_penalty": 1.149999976158142},
     {"top_p": 0.9, "repetition_penalty": 1.15, "repeat_last_n": -1}),
    ({"top_k": 40.0, "temperature": 1}, {"top_k": 40, "temperature": 1.0}),
    ({"temperature": float("nan"), "top_p": float("inf"), "top_k": "many", "min_p": True}, {}),
    ({"temperature": 9.0, "top_p": 1.5, "min_p": 2, "repetition_penalty": 5.0, "top_k": 2.0**40}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), SAVED)
def test_what_was_saved_is_read_in_the_words_of_the_field(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """0 and -1 switch off, a number that means nothing is left out, and none of it fails a request."""
    saved: dict[str, Any] = read_saved(found, "some-model")
    assert saved == expected
    assert Sampling(**saved)


def test_what_a_gguf_was_saved_with_holds_on_both_and_what_is_set_is_for_the_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    """A model saved without a penalty has none; the same weights with one have it over the whole window, as in gpt2."""
    keys = {f"general.sampling.{key}": number for key, number in
            (("temp", -1.0), ("top_k", -1), ("top_p", 0.0), ("penalty_repeat", 0.0))}  # fmt: skip
    rewrite(GGUF, tmp_path / "off.gguf", metadata=keys)
    monkeypatch.setenv("LLAMACPP_MODEL", str(tmp_path / "off.gguf"))
    off: Any = backends.load("llamacpp", Settings.read())
    assert off.engine.saved_sampling == {"temperature": 0, "top_k": 0, "top_p": 1.0}
    plain = off.invoke("What is the capital of France?", max_tokens=20).text
    assert plain == off.invoke("What is the capital of France?", max_tokens=20, temperature=0).text
    backends.unload()
    monkeypatch.setenv("LLAMACPP_MODEL", str(GGUF))
    for name in backends.LOCAL:
        model: Any = backends.load(name, Settings.read())
        assert model.engine.saved_sampling["repetition_penalty"] == 1.15
        assert model._sampling({}, 99).repeat_last_n == -1
        assert model._sampling({"repetition_penalty": 1.15}, 99).repeat_last_n is None
        assert model._sampling({"repetition_penalty": 1.15, "repeat_last_n": 64}, 99).repeat_last_n == 64
        assert model._sampling({"temperature": 0.3}, 99).repetition_penalty == 1.15


def test_min_p_saved_with_a_model_holds_until_somebody_sets_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    shutil.copytree(DEFAULT_MODEL, tmp_path / "saved")
    config = tmp_path / "saved" / "generation_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "min_p": 1.0}))
    monkeypatch.setenv("GPT2_MODEL", str(tmp_path / "saved"))
    model: Any = backends.load("gpt2", Settings.read())
    hot = {**CIRCLES, "temperature": 2.0, "top_k": 0, "top_p": 1.0, "seed": 1}
    assert model.invoke(PROMPT, **hot).text == model.invoke(PROMPT, **CIRCLES).text
    assert model.invoke(PROMPT, **hot, min_p=0).text != model.invoke(PROMPT, **CIRCLES).text


def test_nothing_is_added_to_the_sampler_where_nobody_asks(settings: Settings) -> None:
    engine: Any = backends.load("llamacpp", settings).engine  # type: ignore[attr-defined]

    def steps(**options: Any) -> list[str]:
        sampler, api = Sampler(engine.model, engine.window, Sampling(**options), [5]), engine.api
        parts = [
            api.llama_sampler_chain_get(sampler._chain, at) for at in range(api.llama_sampler_chain_n(sampler._chain))
        ]
        named = [api.llama_sampler_name(part).decode() for part in parts]
        sampler.close()
        return named

    assert steps() == ["top-k", "temp", "top-p", "dist"]
    assert steps(temperature=0) == steps(temperature=0, repetition_penalty=1.5, repeat_last_n=0) == ["greedy"]
    assert steps(temperature=0, repetition_penalty=1.5) == ["penalties", "greedy"]
    assert steps(min_p=0.1, repetition_penalty=1.1, presence_penalty=1, ignore_eos=True) == [
        "logit-bias", "penalties", "penalties", "top-k", "temp", "top-p", "min-p", "dist"
    ]  # fmt: skip
