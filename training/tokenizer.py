"""The tokenizer: a byte-level BPE trained here or one that exists, with the chat's special tokens and its template.

Turns messages into token ids and says which of them the model is to learn. Knows nothing of the model.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from prompts import template

END_OF_TEXT, END_OF_TURN = "<|endoftext|>", "<|end|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
SPECIALS = [END_OF_TEXT, SYSTEM, USER, ASSISTANT, END_OF_TURN]
CHAT_TEMPLATE = Path(template.__file__).with_name("chat.jinja")


@dataclass(frozen=True)
class Encoded:
    """A text as the model sees it.

    `learnt` marks the assistant's tokens with their ends, `turns` where each turn starts; the first `header` tokens are
    the system prompt's.
    """

    ids: list[int]
    learnt: list[bool]
    turns: list[int]
    header: int = 0


def train(texts: Iterable[str], vocab_size: int, positions: int) -> PreTrainedTokenizerFast:
    """Train on `texts`; GPT-2's own splitting, so that `tokenizer.ggml.pre = gpt-2` fits the export."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.post_processor = processors.ByteLevel(trim_offsets=False)
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,
            special_tokens=SPECIALS,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, model_max_length=positions, clean_up_tokenization_spaces=False)
    return _for_chat(fast)


def load(name: str) -> Any:
    """A tokenizer from a folder or the hub, the chat's special tokens added where it lacks them. Raises OSError."""
    try:
        return _for_chat(AutoTokenizer.from_pretrained(name))
    except (OSError, ValueError) as error:
        raise OSError(
            f"no tokenizer in {name} ({str(error).splitlines()[0]}); name a folder that holds tokenizer.json, or a hub "
            "name where there is a network"
        ) from error


def _for_chat(tokenizer: Any) -> Any:
    tokenizer.add_special_tokens(
        {
            "bos_token": END_OF_TEXT,
            "eos_token": END_OF_TURN,
            "pad_token": END_OF_TEXT,
            "additional_special_tokens": SPECIALS[1:4],
        }
    )
    tokenizer.chat_template = CHAT_TEMPLATE.read_text(encoding="utf-8")
    return tokenizer


def encode(tokenizer: Any, messages: list[dict[str, str]]) -> Encoded:
    """A whole dialogue, closed by the end-of-text token; what people wrote never becomes a special token."""
    rendered = template.render(str(tokenizer.chat_template), messages, SPECIALS, reply=False)
    ids: list[int] = []
    learnt: list[bool] = []
    turns: list[int] = []
    speaking = False
    for piece in rendered.segments:
        if piece.special and piece.text != END_OF_TURN:
            turns.append(len(ids))
        new = [special(tokenizer, piece.text)] if piece.special else encode_plain(tokenizer, piece.text)
        ids += new
        learnt += [speaking] * len(new)
        speaking = piece.text == ASSISTANT if piece.special else speaking
    header = turns[1] if len(turns) > 1 and messages[0]["role"] == "system" else 0
    return Encoded([*ids, special(tokenizer, END_OF_TEXT)], [*learnt, False], turns, header)


def text(tokenizer: Any, plain_text: str) -> Encoded:
    """Plain text for language modelling: every token is learnt."""
    ids = [*encode_plain(tokenizer, plain_text), special(tokenizer, END_OF_TEXT)]
    return Encoded(ids, [True] * len(ids), [0])


def reply(tokenizer: Any, text: str) -> list[int]:
    """The ids of a reply with the token that ends it."""
    return [*encode_plain(tokenizer, text), special(tokenizer, END_OF_TURN)]


def encode_plain(tokenizer: Any, piece: str) -> list[int]:
    """Ids of text in which nothing is special."""
    ids: list[int] = tokenizer.encode(piece, add_special_tokens=False, split_special_tokens=True)
    return ids


def special(tokenizer: Any, token: str) -> int:
    """The id of a special token."""
    return int(tokenizer.convert_tokens_to_ids(token))
