#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (its llama.cpp): how a GGUF's special tokens are read hangs on the model's name in it.
#
# Guess: general.name is for people; vocabulary, token types and merges alone say how a text is split. Two files that
#        differ in nothing but the name have the same tokens.
# Seen:  where the name holds "phi-3" or "phi3" in any case, white space behind a special token is swallowed (the attribute
#        RSTRIP, which no field of the file sets). So a fine-tune of Phi-3 that was given a name of its own, or a conversion
#        named after its folder, gets a line break as a token behind each <|user|>, which the model was not trained on.
# So:    tokens are read with their attributes (llama_vocab_get_attr), not by type; and a Phi-3 keeps "phi-3" in its name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check llama-cpp-python==0.3.36 gguf==0.19.0 2>/dev/null
cat >names.py <<'PY'
"""Files without weights, which llama.cpp loads for their vocabulary alone: bytes, and the special tokens of Phi-3."""
import gguf
from llama_cpp import Llama

SPECIAL = ["<|endoftext|>", "<|user|>", "<|end|>", "<|assistant|>"]
TEXT = b"<|user|>\nhi<|end|>\n<|assistant|>\n"


def tokens(name: str) -> list[str]:
    out = gguf.GGUFWriter("model.gguf", "llama")
    out.add_name(name)
    out.add_context_length(64)
    out.add_embedding_length(32)
    out.add_block_count(1)
    out.add_feed_forward_length(32)
    out.add_head_count(2)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_tokenizer_model("llama")
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *SPECIAL]
    out.add_vocab_size(len(words))
    out.add_token_list(words)
    out.add_token_scores([0.0] * len(words))
    out.add_token_types([2, 3, 3, *([6] * 256), *([3] * len(SPECIAL))])
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_add_space_prefix(False)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    model = Llama("model.gguf", vocab_only=True, verbose=False)
    return [words[i] for i in model.tokenize(TEXT, add_bos=False, special=True)]


for name in ("my assistant", "My Phi-3 assistant"):
    print(f"{name:>18}: {' '.join(tokens(name))}")
PY
seen=$(venv/bin/python names.py 2>/dev/null)
echo "llama-cpp-python $(venv/bin/pip list 2>/dev/null | awk '$1 ~ /llama.cpp.python/ {print $2}')"
echo "$seen"
[[ $seen == *"my assistant: <|user|> <0x0A> <0x68> <0x69> <|end|> <0x0A> <|assistant|> <0x0A>"* ]]
[[ $seen == *"My Phi-3 assistant: <|user|> <0x68> <0x69> <|end|> <|assistant|>"* ]]
