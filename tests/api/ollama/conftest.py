"""Ollama's own clients of a server that a test started."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest

NODE = Path(__file__).parent / "node"
HI = [{"role": "user", "content": "hi, how are you?"}]
GREEDY = {"temperature": 0, "num_predict": 20}


def client(served: httpx.Client, key: str = "") -> ollama.Client:
    """Ollama's own client of the same server."""
    return ollama.Client(str(served.base_url), headers={"Authorization": f"Bearer {key}"} if key else None)


def run_node(script: str, served: httpx.Client, *words: str) -> Any:
    """What a script tells of its talk with a server, as JSON; skips the test where Node or a package is not there."""
    reason = "node is not installed" if shutil.which("node") is None else None
    if not all((NODE / "node_modules" / package).is_dir() for package in ("ollama", "ai", "ollama-ai-provider-v2")):
        reason = reason or "the clients for Node are not installed: npm ci --prefix tests/api/ollama/node"
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    command = ["node", str(NODE / script), str(served.base_url).rstrip("/"), *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
