#!/usr/bin/env bash
# llama-cpp-python 0.3.36: a prompt above the window is a 400 that says so, but asked for as a stream a 200 without a byte.
#
# Guess: stream=true changes how a reply comes, not what is said of a request that cannot be answered: a status, or an
#        event with the error, as OpenAI, vLLM, llama-server and Ollama send it.
# Seen:  its server answers 200 and `text/event-stream`, sends nothing, not even `[DONE]`, and closes. The same request
#        without stream is 400 with `context_length_exceeded` and the window.
# So:    after a stream in which nothing came, a long prompt is sent once more without one, to hear why.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "llama-cpp-python[server]==0.3.36" gguf==0.19.0 2>/dev/null
cat >model.py <<'PY'
"""A llama of one layer and random weights, whose words are bytes: enough to be loaded and asked."""
import gguf
import numpy as np

WIDTH, WORDS = 32, 259
rng = np.random.default_rng(0)
out = gguf.GGUFWriter("model.gguf", "llama")
out.add_context_length(512)
out.add_embedding_length(WIDTH)
out.add_block_count(1)
out.add_feed_forward_length(WIDTH)
out.add_head_count(2)
out.add_head_count_kv(2)
out.add_layer_norm_rms_eps(1e-5)
out.add_rope_dimension_count(WIDTH // 2)
out.add_vocab_size(WORDS)
out.add_tokenizer_model("llama")
out.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))])
out.add_token_scores([0.0] * WORDS)
out.add_token_types([2, 3, 3, *([6] * 256)])
out.add_bos_token_id(1)
out.add_eos_token_id(2)


def add(name: str, *shape: int) -> None:
    out.add_tensor(name, rng.normal(size=shape).astype(np.float32) if len(shape) > 1 else np.ones(shape, np.float32))


add("token_embd.weight", WORDS, WIDTH)
add("output_norm.weight", WIDTH)
add("output.weight", WORDS, WIDTH)
for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
    add(f"blk.0.{name}.weight", WIDTH, WIDTH)
for name in ("attn_norm", "ffn_norm"):
    add(f"blk.0.{name}.weight", WIDTH)
out.write_header_to_file()
out.write_kv_data_to_file()
out.write_tensors_to_file()
out.close()
PY
venv/bin/python model.py 2>/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
venv/bin/python -m llama_cpp.server --model model.gguf --n_ctx 256 --host 127.0.0.1 --port "$port" >server.log 2>&1 &
until curl -sf "http://127.0.0.1:$port/v1/models" >/dev/null; do kill -0 $!; sleep 0.2; done
ask() { # ask STREAM: the status, and what came
  local words; words=$(python3 -c 'print("word " * 200)')
  curl -s -w '%{http_code} ' -o body "http://127.0.0.1:$port/v1/chat/completions" -H "Content-Type: application/json" \
    -d "{\"stream\": $1, \"messages\": [{\"role\": \"user\", \"content\": \"$words\"}]}"
  head -c 400 body
}
whole=$(ask false) streamed=$(ask true)
echo "llama-cpp-python $(venv/bin/python -c 'from importlib.metadata import version; print(version("llama-cpp-python"))')"
echo "whole:    $whole"
echo "streamed: $streamed($(wc -c <body) bytes)"
[[ $whole == 400* && $whole == *context_length_exceeded* ]]
[[ $streamed == "200 " && ! -s body ]]
