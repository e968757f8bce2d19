"""The OpenAPI document against the server, by schemathesis: what it promises holds for whatever is sent."""

import os
import subprocess
import sys
from pathlib import Path

from tests.api import promises
from tests.api.process import served

KEY = "a-key-of-32-characters-at-the-least"


def test_the_server_keeps_what_its_document_promises(tmp_path: Path) -> None:
    """Its own examples, every boundary of every field, and random requests; the same ones each time."""
    # Vectors are made, and no model of an example is downloaded.
    made = {"EMBEDDINGS": "", "MODELS_DOWNLOAD": "none"}
    with served(tmp_path, API_KEYS=KEY, MAX_TOKENS="2", REPLY_TIMEOUT="600", MAX_QUEUE="1000", **made) as server:
        config = tmp_path / "schemathesis.toml"
        config.write_text(promises.CONFIG)
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                "--config-file",
                config,
                "run",
                f"{server.url}/openapi.json",
                "--header",
                f"Authorization: Bearer {KEY}",
                "--phases",
                "examples,coverage,fuzzing",
                "--max-examples",
                "10",
                "--generation-deterministic",
                "--request-timeout",
                "600",
                "--workers",  # two would meet: one empties the session that the other one asks
                "1",
                "--no-color",
            ],
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": promises.__file__},
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "No issues found" in done.stdout
