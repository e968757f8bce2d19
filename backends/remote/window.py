"""The window of a model at a server, as the server's own API tells it: what is loaded, not what it was trained on.

Each reader knows one server software by its answers. Knows answers; `ask` sends the questions.
"""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import quote

from backends.remote.model_list import ListedModel, to_tokens
from backends.remote.told_vision import told_vision

# A path from the server's root, and the JSON to post there; the JSON of the answer, None where the server has none.
Ask = Callable[[str, Any], Any]

# Ollama and LM Studio load a model with this window where nobody chose another and its memory allows no more, however
# long the texts were that it was trained on.
USUAL_WINDOW = 4096

# What /v1/models calls the owner of a model, by the software that does.
OWNERS = {
    "llamacpp": "llama-server",
    "llama-swap": "llama-swap",
    "library": "ollama",
    "organization_owner": "lm-studio",
    "vllm": "vllm",
    "sglang": "sglang",
    "koboldcpp": "koboldcpp",
    "tabbyapi": "tabbyapi",
}


class Description(NamedTuple):
    """What a server says of one model: which software it is, the window in tokens, and whether that one is loaded.

    `software` is empty where it is not known, and `window` None; one that is not loaded may get another window. `sees`:
    whether it can see pictures, None where the server does not say.
    """

    software: str = ""
    window: int | None = None
    is_loaded: bool = True
    sees: bool | None = None


def describe(row: ListedModel | None, model: str, ask: Ask) -> Description:
    """What a server says of a model in its list, and where that tells no window, in the API of its own software."""
    found = _describe(row, model, ask)
    return found._replace(sees=row.sees) if row and row.sees is not None else found


def _describe(row: ListedModel | None, model: str, ask: Ask) -> Description:
    software = OWNERS.get(row.owner.lower(), "") if row else ""
    if row and row.window and software != "lm-studio":
        return Description(software, row.window)
    if software in READERS:
        return _named(READERS[software](model, ask) or Description(), software)
    with ThreadPoolExecutor(len(READERS)) as pool:  # a server far away would take its time for one after the other
        found = dict(zip(READERS, pool.map(lambda read: read(model, ask), READERS.values()), strict=True))
    return next((_named(each, name) for name, each in found.items() if each), Description(software))


def _named(description: Description, software: str) -> Description:
    return description if description.software else description._replace(software=software)


def read_llama_server(model: str, ask: Ask) -> Description | None:
    """llama-server, and llamafile: `/props` has the context of one slot; a router is asked for each model."""
    props = _object(ask("/props", None))
    if props.get("role") == "router":
        props = _object(ask(f"/props?model={quote(model, safe='')}&autoload=false", None)) or props
    return _read_props(props)


def _read_props(props: dict[str, Any]) -> Description | None:
    settings = props.get("default_generation_settings")
    if not isinstance(settings, dict):
        return None
    window = to_tokens(settings.get("n_ctx")) or to_tokens(props.get("n_ctx"))
    return Description(window=window, is_loaded=window is not None, sees=told_vision(props))


def read_llama_swap(model: str, ask: Ask) -> Description | None:
    """llama-swap, which starts servers as models are asked for: of one that runs, what that one says."""
    running = _object(ask("/running", None)).get("running")
    if not isinstance(running, list):
        return None
    if not any(row.get("model") == model and row.get("state") == "ready" for row in filter(_is_object, running)):
        return Description(is_loaded=False)
    found = _read_props(_object(ask(f"/upstream/{quote(model, safe='')}/props", None)))
    return found._replace(software="llama-server") if found else Description()


def read_lm_studio(model: str, ask: Ask) -> Description | None:
    """LM Studio: `/api/v0/models`, and from 0.4 on `/api/v1/models`, which lists instances that are loaded."""
    rows = _rows(ask("/api/v0/models", None)) or _rows(ask("/api/v1/models", None))
    row = next((row for row in rows if model in _lm_studio_names(row)), None)
    if row is None:
        return Description() if any("max_context_length" in row for row in rows) else None
    loaded = [_object(instance.get("config")) for instance in _instances(row)]
    sizes = [row.get("loaded_context_length"), *(config.get("context_length") for config in loaded)]
    window = next(filter(None, map(to_tokens, sizes)), None)
    return Description(window=window) if window else _unloaded(row.get("max_context_length"))


def _lm_studio_names(row: dict[str, Any]) -> list[Any]:
    return [row.get("id"), row.get("key"), *(instance.get("id") for instance in _instances(row))]


def _instances(row: dict[str, Any]) -> list[dict[str, Any]]:
    held = row.get("loaded_instances")
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []


def read_ollama(model: str, ask: Ask) -> Description | None:
    """Ollama: `/api/ps` lists what is loaded, `/api/show` tells what a model would be loaded with.

    A `num_ctx` in its Modelfile is one; without it, Ollama decides by the memory that it finds.
    """
    running = _object(ask("/api/ps", None)).get("models")
    if not isinstance(running, list):
        return None
    for row in filter(_is_object, running):
        window = to_tokens(row.get("context_length"))
        if window and _same_model(model, row):
            return Description(window=window)
    shown = _object(ask("/api/show", {"model": model}))
    sees = told_vision(shown, lists_all=True)
    chosen = re.search(r"^num_ctx\s+(\d+)", str(shown.get("parameters") or ""), re.MULTILINE)
    if chosen:
        return Description(window=to_tokens(chosen[1]), is_loaded=False, sees=sees)
    told = _object(shown.get("model_info")).items()
    trained = next((size for name, size in told if name.endswith(".context_length")), None)
    found = Description(window=to_tokens(trained)) if shown.get("remote_host") else _unloaded(trained)
    return found._replace(sees=sees)


def _same_model(model: str, row: dict[str, Any]) -> bool:
    """Whether a row is of this model; `llama3.2` is `llama3.2:latest`."""
    return model.removesuffix(":latest") in {str(row.get(name)).removesuffix(":latest") for name in ("model", "name")}


def read_tgi(model: str, ask: Ask) -> Description | None:
    """Text Generation Inference: `/info` has what prompt and reply may have together."""
    window = to_tokens(_object(ask("/info", None)).get("max_total_tokens"))
    return Description(window=window) if window else None


def read_sglang(model: str, ask: Ask) -> Description | None:
    """SGLang before 0.4, whose list tells no window: `/get_server_info`."""
    info = _object(ask("/get_server_info", None))
    window = to_tokens(info.get("context_length")) or to_tokens(info.get("max_req_input_len"))
    return Description(window=window) if window else None


def read_koboldcpp(model: str, ask: Ask) -> Description | None:
    """KoboldCpp, which would cut a longer prompt silently."""
    window = to_tokens(_object(ask("/api/extra/true_max_context_length", None)).get("value"))
    return Description(window=window) if window else None


def read_tabbyapi(model: str, ask: Ask) -> Description | None:
    """TabbyAPI: `/v1/model` is the one that is loaded."""
    window = to_tokens(_object(_object(ask("/v1/model", None)).get("parameters")).get("max_seq_len"))
    return Description(window=window) if window else None


def read_litellm(model: str, ask: Ask) -> Description | None:
    """LiteLLM's proxy: `/model/info` has what it knows of each model."""
    rows = _rows(ask("/model/info", None))
    row = next((row for row in rows if row.get("model_name") == model), {})
    window = to_tokens(_object(row.get("model_info")).get("max_input_tokens"))
    return Description(window=window) if window else None


# KoboldCpp answers as llama-server and as Ollama, too.
READERS: dict[str, Callable[[str, Ask], Description | None]] = {
    "koboldcpp": read_koboldcpp,
    "llama-swap": read_llama_swap,
    "llama-server": read_llama_server,
    "lm-studio": read_lm_studio,
    "ollama": read_ollama,
    "tgi": read_tgi,
    "sglang": read_sglang,
    "tabbyapi": read_tabbyapi,
    "litellm": read_litellm,
}


def _unloaded(trained: Any) -> Description:
    """A model that is not loaded: no window above the one that it was trained with, and most get no more than usual."""
    size = to_tokens(trained)
    return Description(window=min(size, USUAL_WINDOW) if size else None, is_loaded=False)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _rows(answer: Any) -> list[dict[str, Any]]:
    """The objects in a list of models."""
    rows = _object(answer).get("data") or _object(answer).get("models")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def find_row(models: Sequence[ListedModel] | None, model: str) -> ListedModel | None:
    """The row of a model in a list; the only one there is where it has another name.

    llama-server and the like answer any name from the one model that they have loaded.
    """
    rows = models or ()
    named = next((row for row in rows if row.id.removesuffix(":latest") == model.removesuffix(":latest")), None)
    return named or (rows[0] if len(rows) == 1 else None)
