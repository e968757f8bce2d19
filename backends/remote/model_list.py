"""The models that a server lists, read from any shape of list, and which of them can chat. Knows answers; asks nobody.

Whether one can is what its row declares (LM Studio, Together, Mistral, OpenRouter, Ollama, Xinference, Vercel and
others say it, each in a field of its own), and where it declares nothing, what its name says.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from backends.remote.told_vision import told_vision

LISTS = ("data", "models", "result", "items")  # the fields that hold a list
NAMES = ("id", "name", "model", "key", "model_name")  # the fields that name a model; the first that does counts
TYPES = ("type", "model_type", "task", "tasks", "pipeline_tag", "mode", "capabilities")  # those that say what it is for
# The fields that tell the window, that of what is loaded before that of what could be: vLLM and SGLang, llama-server,
# LM Studio, OpenRouter and Together, Groq, Mistral, Novita, LiteLLM.
WINDOWS = (
    *("max_model_len", "n_ctx", "loaded_context_length", "context_length", "context_window", "max_context_length"),
    *("context_size", "max_input_tokens"),
)

THOUSANDS = {"": 1, "k": 1_000, "m": 1_000_000}  # and no 1,024: less is safe

CHATS = re.compile(
    r"^(?:llm|vlm|chat|language|code|text|completions?|generate|conversational)"
    r"(?:$|[-_ ]?(?:model|completion|generation))|"
    r"text2text|^(?!.*(?:speech|audio-to)).*to-text$|completion_chat|text generation",
    re.IGNORECASE,
)
OTHER_TYPE = re.compile(
    r"embed|rank|speech|audio|transcri|\basr\b|\btts\b|image|video|moderat|classif|feature-extraction|similarity|"
    r"detection|reward|segmentation|-output$",
    re.IGNORECASE,
)
# Names of models for other work; a name begins after anything but a letter or digit.
OTHER_NAME = re.compile(
    r"embed(?!ded)|rerank|whisper|transcri|moderation|diffusion|cross-encoder|mmproj|"
    r"(?<![a-z0-9])(?:bge|gte|e5|sd3|sd-turbo)[-_.]|minilm|mpnet|colbert|sentence-t|instructor-(?:base|large|xl)|"
    r"(?<![a-z0-9])(?:clip|siglip|voyage|ada-002|text-similarity|labse|uae-large|"
    r"tts|xtts|asr|kokoro|parakeet|wav2vec\d?|speecht5|bark|piper|chatterbox|"
    r"dall-e|sdxl|flux|imagen|veo|sora|midjourney|kandinsky|text-to-(?:image|video|speech|audio)|"
    r"guard|guardian|shieldgemma|reward|realtime|babbage-002|davinci-002)(?![a-z])|"
    r"[-_](?:image|tts|guard|ranker|reward)(?![a-z])",
    re.IGNORECASE,
)


class ListedModel(NamedTuple):
    """A row of a list: the name, the window in tokens where it is told, who owns it, and whether it can chat; whether
    it sees pictures, None where that is not told.
    """

    id: str
    window: int | None = None
    owner: str = ""
    can_chat: bool = True
    sees: bool | None = None


def parse(answer: Any) -> list[ListedModel] | None:
    """The models in a server's answer, in its order and each once; None for what is no list of models.

    It is OpenAI's `{"data": [...]}`, a bare list, or `{"models": [...]}`; rows are objects or names.
    """
    rows = _rows(answer)
    if rows is None:
        return None
    models: dict[str, ListedModel] = {}
    for model in (parse_row(*row) for row in rows):
        if model.id:
            models.setdefault(model.id, model)
    return list(models.values())


def _rows(answer: Any) -> list[tuple[Any, str]] | None:
    """The rows, each with the name that it has outside itself."""
    if isinstance(answer, dict) and answer.keys() & LISTS:
        answer = next((answer[name] for name in LISTS if answer.get(name)), [])
        if isinstance(answer, dict):  # by name
            return [(row, str(name)) for name, row in answer.items()]
    return [(row, "") for row in answer] if isinstance(answer, list) else None


def parse_row(row: Any, name: str = "") -> ListedModel:
    """What one row says; without a name where it has none."""
    if not isinstance(row, dict):
        name = to_name(row) or name
        return ListedModel(name, can_chat=not OTHER_NAME.search(name))
    name = next(filter(None, (to_name(row.get(field)) for field in NAMES)), name)
    owner = "llamacpp" if "n_ctx_train" in _part(row, "meta") else str(row.get("owned_by") or "")
    return ListedModel(name, window(row), owner, can_chat(row, name), told_vision(row))


def to_name(value: Any) -> str:
    """A name as it is sent: a text or a number; empty for anything else."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def to_tokens(value: Any) -> int | None:
    """A number of tokens, which some write as text ("4096", "128k"); None for anything else, and for zero."""
    if isinstance(value, str) and (written := re.fullmatch(r"\s*(\d{1,12})\s*([kKmM]?)\s*", value)):
        value = int(written[1]) * THOUSANDS[written[2].lower()]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def window(row: dict[str, Any]) -> int | None:
    """The window in tokens that a row tells; a part of it (llama-server's `meta`) may tell it, too.

    OpenRouter's `top_provider`, which answers, may have a smaller one than the model.
    """
    own = _first_window(row) or _first_window(_part(row, "meta"))
    limits = filter(None, (own, _first_window(_part(row, "top_provider"))))
    return min(limits, default=None)


def _part(row: dict[str, Any], name: str) -> dict[str, Any]:
    part = row.get(name)
    return part if isinstance(part, dict) else {}


def _first_window(row: dict[str, Any]) -> int | None:
    return next(filter(None, (to_tokens(row.get(name)) for name in WINDOWS)), None)


def can_chat(row: dict[str, Any], name: str) -> bool:
    """Whether a model can: as its row declares, else as its name has it."""
    declared = list(_declared(row))
    if any(CHATS.search(word) for word in declared):
        return True
    return not (any(OTHER_TYPE.search(word) for word in declared) or OTHER_NAME.search(name))


def _declared(row: dict[str, Any]) -> Iterator[str]:
    """The words that say what a model is for: types, capabilities, and what comes out of it."""
    for field in TYPES:
        yield from _words(row.get(field))
    outputs = list(_words(_part(row, "architecture").get("output_modalities")))
    if outputs and "text" not in outputs:
        yield f"{outputs[0]}-output"
    if False in (row.get("supports_chat"), _part(row, "capabilities").get("completion_chat")):  # Fireworks, Mistral
        yield "no-chat-output"


def _words(value: Any) -> Iterator[str]:
    """The words of a text, of a list, or of an object: Mistral says `{"completion_chat": true}`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (word for word in value if isinstance(word, str))
    elif isinstance(value, dict):
        yield from (str(name) for name, held in value.items() if held is True)
        yield from _words(value.get("name"))  # Cloudflare's task


def first_chat_model(models: Iterable[ListedModel]) -> ListedModel | None:
    """The first that can chat; None where none can."""
    return next((model for model in models if model.can_chat), None)
