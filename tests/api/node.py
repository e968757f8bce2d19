"""Clients for Node: the scripts in a family's folder, run against a server that a test started. Knows no API."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

API = Path(__file__).parent


def require_node(family: str) -> None:
    """Skip the test where Node, or a package of the family's scripts, is not there; in CI it fails."""
    folder = API / family / "node"
    packages = json.loads((folder / "package.json").read_text())["dependencies"]
    if shutil.which("node") is None:
        reason = "node is not installed"
    elif not all((folder / "node_modules" / package).is_dir() for package in packages):
        reason = f"the clients for Node are not installed: npm ci --prefix tests/api/{family}/node"
    else:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def run_node(script: str, served: httpx.Client, *words: str) -> Any:
    """What a script such as `openai/client.mjs` tells of its talk with a server, as JSON."""
    family, name = script.split("/")
    require_node(family)
    command = ["node", str(API / family / "node" / name), str(served.base_url).rstrip("/"), *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
