"""What servers answer where a prompt is too long, and what only sounds like it: status, answer, and what is in it."""
# ruff: noqa: E501

import json
from typing import Any

from langchain_core.exceptions import ModelError, ModelInvalidRequestError, ModelRateLimitError


def openai(message: str, code: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": "messages", "code": code}}


def quoted(upstream: Any) -> dict[str, Any]:
    """As OpenRouter hands on what a provider answered."""
    raw = upstream if isinstance(upstream, str) else json.dumps(upstream)
    metadata = {"raw": raw, "provider_name": "P"}
    return {"error": {"message": "Provider returned error", "code": 400, "metadata": metadata}}


# server, status, answer, the window that it names
OVERFLOWS: list[tuple[str, int, Any, int | None]] = [
    ("openai", 400, openai("This model's maximum context length is 8192 tokens. However, your messages resulted in 8545 "
     "tokens. Please reduce the length of the messages.", "context_length_exceeded"), 8192),
    ("openai-5", 400, openai("Your input exceeds the context window of this model. Please adjust your input and try "
     "again.", "context_length_exceeded"), None),
    ("openai-limit", 400, openai("Input tokens exceed the configured limit of 272,000 tokens. Your messages resulted in "
     "300010 tokens."), 272000),
    ("openai-string", 400, openai("Invalid 'messages[0].content': string too long. Expected a string with maximum length "
     "1048576, but got a string with length 2000000 instead.", "string_above_max_length"), None),
    ("azure", 400, {"error": {"code": "context_length_exceeded", "message": "Too long."}}, None),
    ("code-alone", 400, {"error": {"code": "context_length_exceeded"}}, None),
    ("vllm-renderer", 400, openai("This model's maximum context length is 4096 tokens. However, your prompt contains at "
     "least 5001 input tokens, which exceeds this limit even without any output tokens.", kind="BadRequestError"), 4096),
    ("vllm-output", 400, openai("'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context "
     "length is 4096 tokens and your request has 50 input tokens (4096 > 4096 - 50)."), 4096),
    ("vllm-flat", 400, {"object": "error", "message": "Input length (265330) exceeds model's maximum context length "
     "(262144).", "type": "BadRequestError", "param": None, "code": 400}, 262144),
    ("vllm-engine", 400, openai("The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make "
     "sure that `max_model_len` is no smaller than the number of text tokens."), 4096),
    ("vllm-plus", 400, openai("The decoder prompt (length 4096) plus the number of requested output tokens (at least 1) "
     "is longer than the maximum model length of 4096."), 4096),
    ("vllm-responses", 400, openai("The engine prompt length 5000 exceeds the max_model_len 4096. Please reduce prompt."),
     4096),
    ("llama-server", 400, {"error": {"code": 400, "message": "request (9000 tokens) exceeds the available context size "
     "(4096 tokens), try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096}},
     4096),
    ("llama-server-old", 500, {"error": {"code": 500, "message": "the request exceeds the available context size. try "
     "increasing the context size or enable context shift", "type": "server_error"}}, None),
    ("llama-server-embedding", 400, {"error": {"code": 400, "message": "input (900 tokens) is larger than the max context "
     "size (512 tokens). skipping", "type": "exceed_context_size_error"}}, 512),
    ("llama-server-shared", 500, {"error": {"code": 500, "message": "Context size has been exceeded.",
     "type": "server_error"}}, None),
    ("llama-cpp-python", 500, openai("Requested tokens (1200) exceed context window of 1024"), 1024),
    ("ollama", 400, openai("the prompt is longer than the context length currently available to the model; shorten the "
     "prompt, adjust the context length in settings, or use a model with a longer context length"), None),
    ("ollama-old", 500, openai("input length exceeds maximum context length", kind="api_error"), None),
    ("ollama-cloud", 400, openai("prompt too long; exceeded max context length by 1234 tokens"), None),
    ("lm-studio", 400, {"error": "Trying to keep the first 15857 tokens when context the overflows. However, the model is "
     "loaded with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context "
     "length, or provide a shorter input"}, 4096),
    ("lm-studio-keep", 400, {"error": "The number of tokens to keep from the initial prompt is greater than the context "
     "length (n_keep: 10247 >= n_ctx: 4096). Try to load the model with a larger context length"}, 4096),
    ("lm-studio-mlx", 400, {"error": "Reached context length of 4096 tokens with this model, but this model does not "
     "currently support mid-generation context overflow."}, 4096),
    ("tgi", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 "
     "`inputs` tokens and 20 `max_new_tokens`", "error_type": "validation"}, 4096),
    ("tgi-input", 422, {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
     "error_type": "validation"}, 1024),
    ("sglang", 400, {"object": "error", "message": "The input (5000 tokens) is longer than the model's context length "
     "(4096 tokens).", "type": "BadRequestError", "code": 400}, 4096),
    ("sglang-total", 400, {"object": "error", "message": "Requested token count exceeds the model's maximum context length "
     "of 4096 tokens. You requested a total of 5000 tokens"}, 4096),
    ("sglang-request", 400, {"object": "error", "message": "Input length (5000 tokens) exceeds the maximum allowed length "
     "(4095 tokens). Use a shorter input or enable --allow-auto-truncate."}, 4095),
    ("groq", 400, openai("Please reduce the length of the messages or completion.", "context_length_exceeded"), None),
    ("groq-bytes", 413, openai("Request Entity Too Large", "request_too_large"), None),
    ("gemini", 400, [{"error": {"code": 400, "message": "The input token count (1196265) exceeds the maximum number of "
     "tokens allowed (1048575).", "status": "INVALID_ARGUMENT"}}], 1048575),
    ("gemini-no-count", 400, {"error": {"code": 400, "message": "The input token count exceeds the maximum number of "
     "tokens allowed 1048576.", "status": "INVALID_ARGUMENT"}}, 1048576),
    ("openrouter", 400, openai("This endpoint's maximum context length is 200000 tokens. However, you requested about "
     "5028244 tokens (5028244 of text input). Please reduce the length of either one"), 200000),
    ("openrouter-quoted", 400, quoted({"type": "error", "error": {"type": "invalid_request_error",
     "message": "prompt is too long: 213462 tokens > 200000 maximum"}}), 200000),
    ("openrouter-quoted-text", 400, quoted("Input is too long for requested model."), None),
    ("anthropic", 400, openai("prompt is too long: 213462 tokens > 200000 maximum"), 200000),
    ("anthropic-output", 400, openai("input length and `max_tokens` exceed context limit: 198157 + 21333 > 200000, "
     "decrease input length or `max_tokens` and try again"), 200000),
    ("anthropic-bytes", 413, {"error": {"type": "request_too_large", "message": "Request exceeds the maximum size"}}, None),
    ("deepseek", 400, openai("This model's maximum context length is 131072 tokens. However, you requested 168754 tokens "
     "(160562 in the messages, 8192 in the completion)."), 131072),
    ("mistral", 400, {"object": "error", "message": "Prompt contains 40687 tokens and 0 draft tokens, too large for model "
     "with 32768 maximum context length", "type": "invalid_request_error", "code": "3051"}, 32768),
    ("xai", 400, {"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is 131072 "
     "but the request contains 149617 tokens."}, 131072),
    ("cerebras", 400, {"message": "Please reduce the length of the messages or completion. Current length is 9000 while "
     "limit is 8192", "type": "invalid_request_error", "code": "context_length_exceeded"}, None),
    ("together", 422, openai("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 "
     "`inputs` tokens and 512 `max_new_tokens`"), 8193),
    ("fireworks", 400, openai("The prompt is too long: 140000, model maximum context length: 131071"), 131071),
    ("cohere", 400, {"message": "too many tokens: total number of tokens in the prompt exceeds the limit of 4081"}, None),
    ("dashscope", 400, openai("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]"),
     129024),
    ("moonshot", 400, openai("Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)"), 8192),
    ("minimax", 400, openai("invalid params, context window exceeds limit (2013)"), None),
    ("zhipu", 400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}, None),
    ("bedrock", 400, openai("Input is too long for requested model."), None),
    ("copilot", 400, openai("prompt token count of 51808 exceeds the limit of 12288", "model_max_prompt_tokens_exceeded"),
     12288),
    ("github-models", 413, openai("Request body too large for gpt-4o model. Max size: 8000 tokens.",
     "tokens_limit_reached"), 8000),
    ("cloudflare", 413, {"errors": [{"code": 5021, "message": "AiError: The estimated number of input and maximum output "
     "tokens (155740) exceeded this model context window limit (128000)."}]}, 128000),
    ("poolside", 400, openai("Input length 140000 exceeds the maximum allowed input length of 131040 tokens."), 131040),
    ("tabby", 400, openai("Context length 5000 is greater than max_seq_len 4096"), 4096),
    ("fastapi", 400, {"detail": "This model's maximum context length is 4096 tokens."}, 4096),
    ("plain-text", 400, "This model's maximum context length is 4096 tokens.", 4096),
    ("no-body", 413, "", None),
]  # fmt: skip

# server, status, answer, the kind it is instead
LOOK_ALIKES: list[tuple[str, int, Any, type[ModelError]]] = [
    ("groq-tpm", 413, openai("Request too large for model `qwen` in organization `org_x` service tier `on_demand` on tokens "
     "per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.",
     "rate_limit_exceeded", "tokens"), ModelRateLimitError),
    ("groq-tpm-429", 429, openai("Rate limit reached for model `x` on tokens per minute (TPM): Limit 12000, Used 7174, "
     "Requested 7540. Please try again in 13.5s.", "rate_limit_exceeded", "tokens"), ModelRateLimitError),
    ("openai-tpm", 429, openai("Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, "
     "Requested 45000.", "rate_limit_exceeded", "tokens"), ModelRateLimitError),
    ("anthropic-rate", 429, openai("This request would exceed your organization's rate limit of 30,000 input tokens per "
     "minute. Please reduce the prompt length."), ModelRateLimitError),
    ("bedrock-throttled", 429, openai("Too many tokens, please wait before trying again."), ModelRateLimitError),
    ("gemini-quota", 429, [{"error": {"code": 429, "message": "Quota exceeded for metric: input_token_count, limit: "
     "250000"}}], ModelRateLimitError),
    ("vllm-min", 400, openai("max_tokens must be at least 1, got 0."), ModelInvalidRequestError),
    ("vllm-more-than-window", 400, openai("max_tokens=5000 cannot be greater than max_model_len=4096. Please request fewer "
     "output tokens."), ModelInvalidRequestError),
    ("openai-output", 400, openai("max_tokens is too large: 100000. This model supports at most 16384 completion tokens, "
     "whereas you provided 100000."), ModelInvalidRequestError),
    ("anthropic-output", 400, openai("max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens"),
     ModelInvalidRequestError),
    ("deepseek-output", 400, openai("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"),
     ModelInvalidRequestError),
    ("dashscope-output", 400, openai("Range of max_tokens should be [1, 8192]"), ModelInvalidRequestError),
    ("tgi-output", 422, {"error": "Input validation error: `max_new_tokens` must be <= 512. Given: 1000"},
     ModelInvalidRequestError),
    ("openai-user", 400, openai("Invalid 'user': string too long. Expected a string with maximum length 64, but got a "
     "string with length 70 instead.", "string_above_max_length"), ModelInvalidRequestError),
    ("openai-stop", 400, openai("Invalid 'stop': array too long. Expected an array with maximum length 4."),
     ModelInvalidRequestError),
    ("stop-limit", 400, openai("The number of stop sequences exceeds the limit of 4"), ModelInvalidRequestError),
    ("echo", 422, {"detail": [{"loc": ["body", "top_k"], "msg": "extra fields not permitted", "type": "value_error",
     "input": {"messages": [{"content": "What does 'maximum context length is 4096 tokens' mean?"}]}}]},
     ModelInvalidRequestError),
    ("unknown-field", 400, openai("Unknown parameter: 'top_k'.", "unknown_parameter"), ModelInvalidRequestError),
]  # fmt: skip
