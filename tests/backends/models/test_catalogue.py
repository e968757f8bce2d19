"""The catalogue, over folders as ours, the hub's client, Ollama and LM Studio lay them out, with real files in them."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from langchain_core.exceptions import ModelNotFoundError

import backends
from backends.models.abilities import read_template
from backends.models.catalogue import find_entry, list_entries
from backends.models.entry import Ability, Entry, Origin
from backends.models.settings import ModelsSettings
from settings import DEFAULT_MODEL, Settings
from tests.broken_gguf import small, split
from tests.conftest import GGUF

STRING, INTEGER, BOOLEAN = 8, 4, 7
PROJECTOR = small({"general.architecture": (STRING, "clip"), "general.type": (STRING, "mmproj")})
EMBEDDER = small(
    {
        "general.architecture": (STRING, "bert"),
        "bert.attention.causal": (BOOLEAN, False),
        "bert.pooling_type": (INTEGER, 1),
        "bert.context_length": (INTEGER, 512),
        "general.license": (STRING, "mit"),
    },
    [("token_embd.weight", (8, 4), 0)],
)


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No models of whoever runs the tests."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MODELS_HOME", str(tmp_path / "ours"))


def entries(**values: object) -> dict[str, Entry]:
    """The catalogue by name, without what ships."""
    found = list_entries(ModelsSettings.read(**values))
    return {entry.name: entry for entry in found if entry.origin is not Origin.SHIPPED}


def copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(source, target))


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_what_ships_is_told_by_its_header_and_by_its_configuration() -> None:
    found = {entry.name: entry for entry in list_entries(ModelsSettings.read())}
    gguf, saved = found["default/model-f16"], found["default"]
    for entry, backend in ((gguf, "llamacpp"), (saved, "gpt2")):
        assert (entry.architecture, entry.parameters, entry.quantization) == ("gpt2", 10_347_520, "F16")
        assert (entry.backend, entry.window, entry.licence.lower()) == (backend, 1024, "cc-by-sa-4.0")
        assert entry.has_template
        assert entry.abilities == {Ability.CHAT}
        assert entry.origin is Origin.SHIPPED
        assert not entry.is_removable
        assert entry.problem is None
    assert gguf.size == GGUF.stat().st_size


def test_a_split_model_is_one_and_its_projector_belongs_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "ours" / "me" / "talker"
    folder.mkdir(parents=True)
    parts = split(GGUF, folder, 3)
    projector = write(folder / "mmproj-model-f16.gguf", PROJECTOR)
    (entry,) = entries().values()
    assert entry.name == "me/talker/model-f16"
    assert entry.path == parts[0]
    assert entry.files == (*parts, projector)
    assert (entry.parameters, entry.projector) == (10_347_520, projector)
    assert entry.abilities == {Ability.CHAT, Ability.SEE}
    assert entry.size == sum(path.stat().st_size for path in entry.files)
    assert entry.is_removable
    parts[1].unlink()
    (entry,) = entries().values()
    assert "00002-of-00003.gguf is missing" in str(entry.problem)


def test_broken_files_are_there_with_the_reason(tmp_path: Path) -> None:
    data = GGUF.read_bytes()
    write(tmp_path / "more" / "cut.gguf", data[: len(data) // 2])
    write(tmp_path / "more" / "page.gguf", b"<!DOCTYPE html><html>")
    write(tmp_path / "more" / "empty.gguf", b"")
    copy(DEFAULT_MODEL / "config.json", tmp_path / "more" / "saved" / "config.json")
    weights = (DEFAULT_MODEL / "model.safetensors").read_bytes()
    write(tmp_path / "more" / "saved" / "model.safetensors", weights[:-100])
    found = entries(dirs=(str(tmp_path / "more"),))
    assert {name: entry.origin for name, entry in found.items()} == dict.fromkeys(
        ("cut", "page", "empty", "saved"), Origin.FOLDER
    )
    assert str(found["cut"].problem).startswith("is cut short")
    assert "a web page" in str(found["page"].problem)
    assert str(found["empty"].problem).startswith("is empty")
    assert "model.safetensors that is cut short" in str(found["saved"].problem)


def test_the_hubs_cache_is_read_by_its_newest_snapshot(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--me--talker"
    blob = copy(GGUF, repository / "blobs" / "abc")
    for revision in ("old", "new"):
        (repository / "snapshots" / revision).mkdir(parents=True)
        (repository / "snapshots" / revision / "talker-f16.gguf").symlink_to(blob)
    write(repository / "refs" / "main", b"new")
    write(repository / "snapshots" / "new" / "README.md", b"---\nlicense: mit\n---\n")
    saved = tmp_path / "hub" / "models--you--saved" / "snapshots" / "1"
    for name in ("config.json", "model.safetensors", "tokenizer_config.json"):
        copy(DEFAULT_MODEL / name, saved / name)
    found = entries()
    assert sorted(found) == ["me/talker/talker-f16", "you/saved"]
    assert found["me/talker/talker-f16"].path.parent.name == "new"
    assert found["you/saved"].backend == "gpt2"
    assert not any(entry.is_removable for entry in found.values())


def test_ollamas_models_are_its_manifests(tmp_path: Path) -> None:
    layers = []
    for kind, data in (("model", GGUF.read_bytes()), ("projector", PROJECTOR), ("license", b"\nApache License\nMore")):
        digest = sha256(data).hexdigest()
        write(tmp_path / "ollama" / "blobs" / f"sha256-{digest}", data)
        layers.append({"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{digest}"})
    manifests = tmp_path / "ollama" / "manifests"
    told = json.dumps({"layers": layers}).encode()
    write(manifests / "registry.ollama.ai" / "library" / "talker" / "1b", told)
    write(manifests / "registry.ollama.ai" / "library" / "broken" / "latest", b"{")
    write(manifests / "hf.co" / "me" / "other" / "Q4_K_M", json.dumps({"layers": []}).encode())
    (entry,) = entries().values()
    assert (entry.name, entry.origin) == ("talker:1b", Origin.OLLAMA)
    assert entry.problem is None
    assert entry.abilities == {Ability.CHAT, Ability.SEE}
    assert not entry.is_removable


def test_lm_studios_folders_and_an_embedder(tmp_path: Path) -> None:
    copy(GGUF, tmp_path / ".lmstudio" / "models" / "me" / "talker" / "talker.gguf")
    write(tmp_path / ".cache" / "lm-studio" / "models" / "me" / "finder" / "finder.gguf", EMBEDDER)
    found = entries()
    assert [entry.origin for entry in found.values()] == [Origin.LM_STUDIO] * 2
    finder = found["me/finder/finder"]
    assert finder.abilities == {Ability.EMBED}
    assert (finder.problem, finder.licence) == (None, "mit")


def test_two_of_one_name_are_told_apart_and_one_file_is_there_once(tmp_path: Path) -> None:
    copy(GGUF, tmp_path / "ours" / "talker.gguf")
    copy(GGUF, tmp_path / "more" / "talker.gguf")
    (tmp_path / "again").symlink_to(tmp_path / "more")
    found = entries(dirs=(str(tmp_path / "more"), str(tmp_path / "again"), str(tmp_path / "nothing")))
    assert {name: entry.origin for name, entry in found.items()} == {
        "talker": Origin.DOWNLOADED,
        "talker@folder": Origin.FOLDER,
    }


def test_what_a_setting_names_is_there_and_a_name_that_is_none_names_near_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLAMACPP_MODEL", str(copy(GGUF, tmp_path / "mine" / "talker.gguf")))
    settings = Settings.read()
    assert backends.find_in_catalogue("talker", settings).origin is Origin.NAMED
    assert [e.origin for e in backends.list_catalogue(settings) if e.name == "talker"] == [Origin.NAMED]
    with pytest.raises(ModelNotFoundError, match=r"^alk: there is no such model here. Near: talker\."):
        backends.find_in_catalogue("alk", settings)
    with pytest.raises(ModelNotFoundError):
        find_entry("talker", settings.group(ModelsSettings), "gpt2", [str(tmp_path / "mine" / "talker.gguf")])


def test_a_template_tells_what_a_model_can() -> None:
    assert read_template(None) == frozenset()
    assert read_template("{{ messages }}") == {Ability.CHAT}
    assert read_template("{% if tools %}{{ tools }}{% endif %}") == {Ability.CHAT, Ability.TOOLS}
    assert read_template("{% if enable_thinking %}x{% endif %}") == {Ability.CHAT, Ability.THINK}
    assert read_template("{{ messages }}<think>") == {Ability.CHAT, Ability.THINK}
