#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama-server of llama.cpp b11549): a template that opens the thinking need not be one that thinks.
#
# Guess: a prompt that ends with `<think>` has the model think, and llama-server, whose `reasoning_format` is auto, or asked
#        to be deepseek, puts what comes before `</think>` into `reasoning_content`.
# Seen:  it looks at what the template writes around a message's `reasoning_content`. One that has no such message, as
#        those for a single turn, does not think for it: all of the monologue is `content`, whatever is asked for. The same
#        opening with a branch for `reasoning_content` thinks.
# So:    a custom template gets that branch, also where no client sends one back; and who reads such a server looks for the
#        marks in the text itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xllamacpp==2026.10.11549 gguf==0.19.0 2>/dev/null
cat >model.py <<'PY'
"""A llama of one layer and random weights, whose words are bytes: enough to be loaded and asked."""
import sys

import gguf
import numpy as np

WIDTH, WORDS = 32, 259
rng = np.random.default_rng(0)
out = gguf.GGUFWriter(sys.argv[1], "llama")
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
THOUGHT = "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}"
TURN = "[{{ m.role }}]" + (THOUGHT if sys.argv[1] == "branch.gguf" else "") + "{{ m.content }}\n"
OPENED = "{% if add_generation_prompt %}[assistant]<think>\n{% endif %}"
out.add_chat_template("{% for m in messages %}" + TURN + "{% endfor %}" + OPENED)


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
venv/bin/python model.py plain.gguf 2>/dev/null
venv/bin/python model.py branch.gguf 2>/dev/null
cat >serve.py <<'PY'
import sys
import threading

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.warmup = sys.argv[1], 256, 1, False
params.hostnames, params.port = ["127.0.0.1"], int(sys.argv[2])
server = xllamacpp.Server(params)
threading.Event().wait()
PY
cat >ask.py <<'PY'
import json
import sys
from urllib.request import Request, urlopen

fields = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 8, "temperature": 0, "ignore_eos": True}
for more in ({}, {"reasoning_format": "deepseek"}):
    body = json.dumps({**fields, **more}).encode()
    request = Request(f"http://127.0.0.1:{sys.argv[1]}/v1/chat/completions", body, {"Content-Type": "application/json"})
    message = json.loads(urlopen(request).read())["choices"][0]["message"]
    print(*(name for name in ("content", "reasoning_content") if message.get(name)))
PY
ask() {
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  venv/bin/python serve.py "$1.gguf" "$port" >"$1.log" 2>&1 &
  until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do kill -0 $!; sleep 0.2; done
  venv/bin/python ask.py "$port" | paste -sd,
  kill $!
}
plain=$(ask plain)
branch=$(ask branch)
echo "xllamacpp $(venv/bin/python -c 'from importlib.metadata import version; print(version("xllamacpp"))')"
echo "where eight tokens behind <think> stand, by itself and asked for deepseek:"
echo "a template that opens it: $plain"
echo "one that writes reasoning_content, too: $branch"
[[ $plain == "content,content" && $branch == "reasoning_content,reasoning_content" ]]
