"""Ollama's own clients of a server that a test started."""

import httpx
import ollama

HI = [{"role": "user", "content": "hi, how are you?"}]
GREEDY = {"temperature": 0, "num_predict": 20}


def client(served: httpx.Client, key: str = "") -> ollama.Client:
    """Ollama's own client of the same server."""
    return ollama.Client(str(served.base_url), headers={"Authorization": f"Bearer {key}"} if key else None)
