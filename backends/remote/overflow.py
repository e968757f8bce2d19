"""Whether a server's failure says that the prompt is too long for its model, by the codes and wordings of many servers.

Each line of the table names the server and where it says so. Knows failures as the SDK raises them; no request.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import openai

# Codes and types that a server gives such a failure; they may stand in the answer that a gateway quotes.
CODES = (
    r"context_length_exceeded",  # OpenAI, Azure, Groq, Cerebras, llama-cpp-python (server/errors.py)
    r"exceed_context_size_error",  # llama-server (server-common.cpp)
    r"model_max_prompt_tokens_exceeded",  # GitHub Copilot
    r"tokens_limit_reached",  # GitHub Models
    r"request_too_large",  # Anthropic, Groq: more bytes than a request may have
)

# What servers write. `(?P<window>...)` is the number that names the window.
NUMBER = r"\(?(?P<window>\d[\d,]*)"
WORDINGS = (
    # OpenAI and Azure ("messages resulted in", "you requested"), DeepSeek, OpenRouter ("This endpoint's"), FastChat,
    # LMDeploy, llama-cpp-python, vLLM (renderers/params.py), SGLang (managers/tokenizer_manager.py)
    rf"maximum context length (?:is|of) {NUMBER}",
    rf"model with {NUMBER} maximum context length",  # Mistral
    rf"model maximum context length: {NUMBER}",  # Fireworks
    rf"maximum context length\s*{NUMBER}\)",  # vLLM (entrypoints/serve/utils/api_utils.py)
    r"maximum context length",
    r"exceeds? the context window",  # OpenAI's newer models
    rf"input tokens exceed the configured limit of {NUMBER}",  # OpenAI
    r"invalid '(?:messages|input)[^']*': string too long",  # OpenAI, for one very long message
    rf"longer than the maximum model length of {NUMBER}",  # vLLM (v1/engine/input_processor.py)
    rf"engine prompt length \d+ exceeds the max_model_len {NUMBER}",  # vLLM (openai/responses/serving.py)
    rf"exceeds? the available context size(?: {NUMBER} tokens)?",  # llama-server (server-context.cpp), llamafile
    rf"larger than the max context size {NUMBER}",  # llama-server
    r"context size has been exceeded",  # llama-server and LM Studio, where chats share the memory
    rf"exceed context window of {NUMBER}",  # llama-cpp-python, in front of its translation
    r"longer than the context length currently available",  # Ollama (llm/llama_server.go)
    r"(?:input length|input after truncation) exceeds (?:the |maximum )?context length",  # Ollama (server/routes.go)
    r"prompt too long; exceeded (?:max )?context length",  # Ollama's cloud
    rf"loaded with context length of only {NUMBER}",  # LM Studio ("Trying to keep the first … tokens")
    rf"greater than the context length(?: \(n_keep: \d+ >= n_ctx: {NUMBER})?",  # LM Studio
    rf"reached context length of {NUMBER} tokens with this model",  # LM Studio, with MLX
    rf"`inputs` tokens \+ `max_new_tokens` must be <= {NUMBER}",  # TGI (router/src/validation.rs), Together
    rf"`inputs` must have less than {NUMBER} tokens",  # TGI
    rf"longer than the model's context length {NUMBER}",  # SGLang, Together
    rf"exceeds the maximum allowed (?:input )?length (?:of )?{NUMBER} tokens",  # SGLang (managers/utils.py), Poolside
    r"request prompt exceeds the kv memory budget",  # SGLang (managers/scheduler.py)
    r"reduce the length of (?:the|your) (?:messages|prompt|input)",  # Groq, Cerebras
    rf"input token count.{{0,30}} exceeds the maximum number of (?:input )?tokens(?: allowed {NUMBER})?",  # Gemini
    r"request payload size exceeds the limit",  # Gemini, in bytes
    rf"prompt is too long(?:: \d+ tokens > {NUMBER} maximum)?",  # Anthropic, Fireworks
    rf"exceed context limit: \d+ \+ \d+ > {NUMBER}",  # Anthropic, with max_tokens
    rf"maximum prompt length is {NUMBER}",  # xAI
    rf"exceeded model token limit: {NUMBER}",  # Moonshot
    r"input token length too long",  # Moonshot
    rf"range of input length should be \[\d+, {NUMBER}\]",  # DashScope
    r"context window exceeds limit",  # MiniMax
    r"prompt (?:exceeds max length|too long)",  # Zhipu, 1261
    r"too many tokens: ",  # Cohere
    r"input is too long",  # Bedrock, Databricks
    r"number of input tokens exceeds maximum length",  # Bedrock, with Nova
    rf"prompt token count of \d+ exceeds the limit of {NUMBER}",  # GitHub Copilot
    rf"request body too large for .{{1,80}} model\. max size: {NUMBER} tokens",  # GitHub Models
    rf"exceeded this model context window limit(?: {NUMBER})?",  # Cloudflare
    rf"prompt tokens: \d+ exceeds model max length: {NUMBER}",  # OpenVINO Model Server
    rf"prompt length .{{1,80}} should not exceed max_(?:num_tokens|seq_len) {NUMBER}",  # TensorRT-LLM
    rf"context length \d+ is greater than max_seq_len {NUMBER}",  # TabbyAPI
)
PATTERNS = [re.compile(pattern, re.IGNORECASE) for pattern in (*WORDINGS, *CODES)]

# Limits of an account, that say the same words: "Request too large for model … on tokens per minute (TPM)".
RATE_LIMIT = re.compile(
    r"rate.?limit|tokens? per (?:min|hour|day)|per minute|\b[TR]P[MD]\b|quota|throttl|too many requests", re.IGNORECASE
)
TOO_LARGE = 413  # HTTP's Content Too Large; some send it without a word
OTHER_CAUSES = {401, 402, 403, 404, 408, 429}  # statuses that say by themselves what else it is
ECHOES = {"input", "messages", "prompt", "ctx"}  # fields of an answer that repeat the request


def is_context_overflow(error: Exception) -> bool:
    """Whether a failure, with a status or in a stream, says that the prompt is too long for the model."""
    status = getattr(error, "status_code", None)
    if status in OTHER_CAUSES or not isinstance(error, openai.APIError):
        return False
    text = words(error)
    if RATE_LIMIT.search(text):
        return False
    return status == TOO_LARGE or any(pattern.search(text) for pattern in PATTERNS)


def is_rate_limit(error: Exception) -> bool:
    """Whether a request was too large for what an account may send in a minute, which is no question of the window."""
    return getattr(error, "status_code", None) == TOO_LARGE and bool(RATE_LIMIT.search(words(error)))


def stated_window(error: BaseException) -> int | None:
    """The window in tokens that an overflow names; None where it names none."""
    body = getattr(error, "body", None)
    if isinstance(body, dict) and isinstance(body.get("n_ctx"), int):
        return int(body["n_ctx"]) or None
    found = (pattern.search(words(error)) for pattern in PATTERNS)
    sizes = (match.group("window") for match in found if match and "window" in match.re.groupindex)
    return next((int(size.replace(",", "")) for size in sizes if size), None)


def words(error: BaseException) -> str:
    """What a server wrote about a failure, without what it repeats of the request."""
    body = getattr(error, "body", None)
    return "\n".join(_texts(body)) if isinstance(body, dict | list) and body else str(body or error)


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts in JSON, also in JSON that is quoted in it, as gateways do."""
    if isinstance(value, dict) and depth < 8:
        for name, each in value.items():
            if name not in ECHOES:
                yield from _texts(each, depth + 1)
    elif isinstance(value, list) and depth < 8:
        for each in value:
            yield from _texts(each, depth + 1)
    elif isinstance(value, str):
        yield from _quoted(value, depth)


def _quoted(text: str, depth: int) -> Iterator[str]:
    if text.lstrip().startswith(("{", "[")):
        try:
            quoted = json.loads(text)
        except ValueError:
            pass
        else:
            yield from _texts(quoted, depth + 1)
            return
    yield text
