"""A byte-level BPE tokenizer with the chat's special tokens and its template. Knows nothing of the model."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from prompts import template

END_OF_TEXT, END_OF_TURN = "<|endoftext|>", "<|end|>"
SPECIALS = [END_OF_TEXT, "<|system|>", "<|user|>", "<|assistant|>", END_OF_TURN]
CHAT_TEMPLATE = Path(template.__file__).with_name("chat.jinja")


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
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TURN,
        pad_token=END_OF_TEXT,
        additional_special_tokens=SPECIALS[1:4],
        chat_template=CHAT_TEMPLATE.read_text(encoding="utf-8"),
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    )


def encode(tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, str]]) -> list[int]:
    """Token ids of a whole dialogue, closed by the end-of-text token."""
    rendered = template.render(str(tokenizer.chat_template), messages, SPECIALS, reply=False)
    ids: list[int] = []
    for piece in rendered.pieces:
        if piece.special:
            ids.append(int(tokenizer.convert_tokens_to_ids(piece.text)))
        else:
            ids += tokenizer.encode(piece.text, add_special_tokens=False, split_special_tokens=True)
    return [*ids, int(tokenizer.convert_tokens_to_ids(END_OF_TEXT))]
