#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama-server of llama.cpp b11549): a reply that goes on repeats its beginning whole, not streamed.
#
# Guess: where the last message is the assistant's, the server goes on with it and answers with what is new; or it repeats
#        the beginning, and then in both forms of an answer.
# Seen:  the whole answer begins with all of the text that was given, the streamed one with the first new token. Nothing in
#        either says which it is, and `"continue_final_message": true` changes nothing about it.
# So:    a beginning is cut where all of it is repeated, and held back until that is known.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xllamacpp==2026.10.11549 gguf==0.19.0 2>/dev/null
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
out.add_chat_template("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]")


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
cat >serve.py <<'PY'
import sys
import threading

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.warmup = "model.gguf", 256, 1, False
params.hostnames, params.port = ["127.0.0.1"], int(sys.argv[1])
server = xllamacpp.Server(params)
threading.Event().wait()
PY
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
venv/bin/python serve.py "$port" >server.log 2>&1 &
until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do kill -0 $!; sleep 0.2; done
cat >ask.py <<'PY'
import json
import sys
from urllib.request import Request, urlopen

SAID = "Once upon a time, there"
messages = [{"role": "user", "content": "a story"}, {"role": "assistant", "content": SAID}]
fields = {"messages": messages, "max_tokens": 3, "temperature": 0}
for more in ({}, {"continue_final_message": True, "add_generation_prompt": False}):
    for stream in (False, True):
        body = json.dumps({**fields, **more, "stream": stream}).encode()
        request = Request(f"http://127.0.0.1:{sys.argv[1]}/v1/chat/completions", body, {"Content-Type": "application/json"})
        answer = urlopen(request).read().decode()
        if stream:
            rows = [json.loads(line[6:]) for line in answer.splitlines() if line.startswith("data: {")]
            text = "".join(row["choices"][0]["delta"].get("content") or "" for row in rows)
        else:
            text = json.loads(answer)["choices"][0]["message"]["content"]
        print("streamed" if stream else "whole", "repeats" if text.startswith(SAID) else "does not repeat", sep=": ")
PY
seen=$(venv/bin/python ask.py "$port" | paste -sd,)
echo "xllamacpp $(venv/bin/python -c 'from importlib.metadata import version; print(version("xllamacpp"))')"
echo "$seen"
once="whole: repeats,streamed: does not repeat"
[[ $seen == "$once,$once" ]]
