"""The tokenizer: a byte-level BPE trained here, with the chat's special tokens and its template, or one that exists.

One that brings a chat template, as in a GGUF file of a chat model, keeps it and its own tokens. Turns messages into
token ids and says which of them the model is to learn. Knows nothing of the model.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from prompts import template
from prompts.passages import quote_passages
from training.chat_encoder import ChatEncoder
from training.dialogue import Reading

END_OF_TEXT, END_OF_TURN = "<|endoftext|>", "<|end|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
SPECIALS = [END_OF_TEXT, SYSTEM, USER, ASSISTANT, END_OF_TURN]
CHAT_TEMPLATE = Path(template.__file__).with_name("chat.jinja")


@dataclass(frozen=True)
class Encoded:
    """A text as the model sees it.

    `learnt` marks the assistant's tokens with their ends, `turns` where each turn starts; the first `header` tokens are
    the system prompt's. `positions` are its tokens' places, counted through where there are none; a jump back begins a
    branch, which sees what stands before that place.
    """

    ids: list[int]
    learnt: list[bool]
    turns: list[int]
    header: int = 0
    positions: list[int] | None = None


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
    """A tokenizer from a folder, a GGUF file or the hub, the chat's special tokens added where it has no template.

    Raises OSError.
    """
    try:
        file = {"gguf_file": Path(name).name} if name.endswith(".gguf") else {}
        loaded = AutoTokenizer.from_pretrained(str(Path(name).parent) if file else name, **file)
        return loaded if has_own_template(loaded) else _for_chat(loaded)
    except (OSError, ValueError, KeyError) as error:
        raise OSError(
            f"no tokenizer in {name} ({str(error).splitlines()[0]}); name a folder that holds tokenizer.json, a GGUF "
            "file, or a hub name where there is a network"
        ) from error


def has_own_template(tokenizer: Any) -> bool:
    """Whether a tokenizer brought a chat template, which is not ours."""
    return bool(tokenizer.chat_template) and tokenizer.chat_template != CHAT_TEMPLATE.read_text(encoding="utf-8")


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
    """A whole dialogue, closed by the end-of-text token in ours; what people wrote never becomes a special token.

    Raises ValueError where the tokenizer's own template refuses the messages.
    """
    if has_own_template(tokenizer):
        return _encode_by_template(tokenizer, messages)
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


def _encode_by_template(tokenizer: Any, messages: list[dict[str, str]]) -> Encoded:
    """Likewise, by the template that came with the tokenizer; a turn is a message of the user with its reply."""
    encoder = ChatEncoder(tokenizer, sys.maxsize)
    encoded = encoder.encode_dialogue(messages)
    learnt = [False] * len(encoded.ids)
    for start, end in encoded.spans:
        learnt[start:end] = [True] * (end - start)
    header = len(encoder.encode_head(messages[:1])) if messages[0]["role"] == "system" else 0
    return Encoded(encoded.ids, learnt, [header, *(end for _, end in encoded.spans[:-1])], header)


def encode_reading(tokenizer: Any, reading: Reading, system: str) -> Encoded:
    """Questions about the same passages as branches: `positions` says where each leaves what they share.

    As chains/passages.py writes a question with passages: the rules behind the system prompt, the passages before the
    question. Raises ValueError where the template refuses the messages.
    """
    quoted = quote_passages("", reading.passages)
    head = "\n\n".join(filter(None, [system, quoted.rules]))
    chats = [
        encode(tokenizer, [
            {"role": "system", "content": head},
            {"role": "user", "content": quoted.question + question},
            {"role": "assistant", "content": answer},
        ])
        for question, answer in reading.questions
    ]  # fmt: skip
    shared = _shared_length([chat.ids for chat in chats])
    positions = list(range(shared))
    ids, learnt = chats[0].ids[:shared], chats[0].learnt[:shared]
    for chat in chats:
        ids += chat.ids[shared:]
        learnt += chat.learnt[shared:]
        positions += range(shared, len(chat.ids))
    return Encoded(ids, learnt, chats[0].turns, chats[0].header, positions)


def _shared_length(chats: list[list[int]]) -> int:
    """How many tokens all begin with; at least one is left to each."""
    shortest = min(map(len, chats)) - 1
    return next((i for i in range(shortest) if len({ids[i] for ids in chats}) > 1), shortest)


def text(tokenizer: Any, plain_text: str) -> Encoded:
    """Plain text for language modelling: every token is learnt."""
    own = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    ids = [*encode_plain(tokenizer, plain_text), tokenizer.eos_token_id if own is None else own]
    return Encoded(ids, [True] * len(ids), [0])


def reply(tokenizer: Any, text: str) -> list[int]:
    """The ids of a reply with the token that ends it."""
    end = tokenizer.eos_token_id if has_own_template(tokenizer) else special(tokenizer, END_OF_TURN)
    return [*encode_plain(tokenizer, text), end]


def encode_plain(tokenizer: Any, piece: str) -> list[int]:
    """Ids of text in which nothing is special."""
    ids: list[int] = tokenizer.encode(piece, add_special_tokens=False, split_special_tokens=True)
    return ids


def special(tokenizer: Any, token: str) -> int:
    """The id of a special token."""
    return int(tokenizer.convert_tokens_to_ids(token))
