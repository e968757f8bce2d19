"""What a model would need of memory, told before it is loaded, and what this machine has."""

from pathlib import Path

import pytest

from backends import llamacpp
from backends.llama.context import Limits
from backends.llama.header import Header, Tensor
from backends.llama.memory import context_bytes, repacked_bytes
from backends.local import shipped
from backends.local.memory import Memory, judge, machine_memory
from backends.models.memory import estimate
from backends.models.recommended import MODELS, none_fits
from settings import DEFAULT_MODEL, Settings
from tests.conftest import GGUF

AVX2 = frozenset({"avx2"})


def header(architecture: str, **metadata: object) -> Header:
    """A header with these keys of its architecture."""
    named = {f"{architecture}.{key.replace('__', '.')}": value for key, value in metadata.items()}
    return Header(3, {"general.architecture": architecture, **named}, (), 0)  # type: ignore[dict-item]


def context(architecture: str, window: int = 1024, parallel: int = 4, **metadata: object) -> int:
    """Bytes of keys, values and states of chats that share the context of one."""
    return context_bytes(header(architecture, **metadata), Limits(window, parallel, window, threads=1))


def test_the_shipped_model_needs_its_weights_and_what_its_chats_keep() -> None:
    told = estimate(GGUF)
    assert told.weights >= GGUF.stat().st_size * 0.99
    assert told.later == 0
    assert estimate(GGUF, 512).context < told.context  # 8 chats of half the window
    assert estimate(GGUF, 512, 4, total=512).context == told.context / 16
    saved = estimate(DEFAULT_MODEL)
    assert saved.later == saved.context > 0
    assert estimate(DEFAULT_MODEL, parallel=1).weights < saved.weights  # no second copy of its matrices
    assert estimate(DEFAULT_MODEL, int8=True).weights < saved.weights


def test_adapters_lie_beside_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = shipped.adapter_gguf()
    assert adapter is not None
    size = adapter.stat().st_size
    assert estimate(GGUF, adapters=[adapter, adapter]).weights == pytest.approx(
        estimate(GGUF).weights + 2 * size, abs=2
    )
    alone = llamacpp.needed_memory(Settings.read())
    monkeypatch.setenv("LLAMACPP_LORA", f"{adapter}:0.5")
    assert llamacpp.needed_memory(Settings.read()) == alone + size


def test_keys_and_values_are_those_of_the_heads_that_have_some() -> None:
    wide = context("llama", block_count=2, embedding_length=512, attention__head_count=8)
    assert wide == 2 * 1024 * 2 * 512 * 2
    grouped = {"block_count": 2, "embedding_length": 512, "attention__head_count": 8}
    assert context("llama", **grouped, attention__head_count_kv=2) == wide / 4
    assert context("llama", **grouped, attention__head_count_kv=(2, 4)) == wide / 4 * 1.5
    assert context("gemma3", **grouped, attention__key_length=128, attention__value_length=128) == wide * 2
    shared = context("gemma4", **grouped, attention__shared_kv_layers=1)
    assert shared == wide / 2
    latent = {"attention__head_count_kv": 1, "attention__key_length": 96, "attention__value_length": 64}
    assert context("deepseek2", **grouped, **latent, attention__key_length_mla=192) == 2 * 1024 * 96 * 2


def test_layers_with_a_state_keep_one_for_each_chat_however_long_it_is() -> None:
    mamba = {"block_count": 2, "embedding_length": 512, "ssm__inner_size": 1024, "ssm__state_size": 16}
    told = context("mamba", **mamba, ssm__conv_kernel=4)
    assert told == 2 * 4 * (1024 * 16 + 3 * 1024) * 4
    assert context("mamba", 8192, **mamba, ssm__conv_kernel=4) == told
    hybrid = {"block_count": 4, "embedding_length": 512, "attention__head_count": 8}
    interval = context("qwen3next", **hybrid, full_attention_interval=4, ssm__inner_size=1024, ssm__state_size=16)
    assert interval == 1024 * 2 * 512 * 2 + 3 * 4 * 1024 * 16 * 4
    convolution = context("lfm2", **hybrid, attention__head_count_kv=(0, 0, 8, 0), shortconv__l_cache=3)
    assert convolution == 1024 * 2 * 512 * 2 + 3 * 4 * 512 * 2 * 4


def test_a_window_is_rounded_up_and_counts_for_each_chat_that_has_its_own() -> None:
    small = {"block_count": 1, "embedding_length": 64, "attention__head_count": 1}
    whole = context_bytes(header("llama", **small), Limits(300, 2, 600, threads=1))
    assert whole == 2 * 512 * 2 * 64 * 2
    assert context_bytes(header("llama", **small), Limits(300, 2, 300, threads=1)) == whole / 2


def test_matrices_in_another_order_are_kept_twice_on_a_cpu_that_has_use_for_it() -> None:
    q4_0, q8_0 = 2, 8
    layer = Tensor("blk.0.ffn_up.weight", (64, 64), q4_0, 0)
    assert repacked_bytes([layer], AVX2) == layer.bytes
    assert repacked_bytes([layer], frozenset()) == 0
    assert repacked_bytes([Tensor("blk.0.ffn_up.weight", (64, 64), q8_0, 0)], AVX2) == 0
    assert repacked_bytes([Tensor("blk.0.ffn_up.weight", (64, 60), q4_0, 0)], AVX2) == 0
    table = Tensor("token_embd.weight", (64, 64), q4_0, 0)
    assert repacked_bytes([table], AVX2) == table.bytes  # the output multiplies it
    assert repacked_bytes([table, Tensor("output.weight", (64, 64), 1, 0)], AVX2) == 0


@pytest.mark.parametrize(
    ("needed", "verdict"), [(3, "fits"), (5, "tight"), (7, "tight"), (10, "does not fit")]
)  # of 10 bytes, of which 4 are free
def test_what_fits_is_judged_by_what_there_is(needed: int, verdict: str) -> None:
    assert judge(needed, Memory(10, 4)) == verdict


def test_memory_is_the_machines_or_the_containers_where_that_is_less(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8000 kB\nMemFree: 100 kB\nMemAvailable: 6000 kB\nHugePages_Total: 0\n")
    assert machine_memory(meminfo, tmp_path) == Memory(8_192_000, 6_144_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_memory(meminfo, tmp_path) == Memory(8_192_000, 6_144_000)
    (tmp_path / "memory.max").write_text("4096000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert machine_memory(meminfo, tmp_path) == Memory(4_096_000, 3_096_000)
    assert machine_memory() is not None


def test_where_none_of_the_good_small_ones_fits_that_is_said() -> None:
    smallest = min(each.estimate().total for each in MODELS)
    said = none_fits(Memory(smallest, smallest))
    assert said is not None
    assert said.startswith("None of these fits: the smallest needs ")
    assert none_fits(Memory(2 * smallest, 0)) is None  # tight
    assert none_fits(None) is None
