"""A real Prometheus asks a real server, as deploy/prometheus.yml says; then it is asked all that the dashboard asks."""

import json
import math
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from settings import ROOT
from tests.api.process import Process, served
from tests.conftest import answers, free_port
from tests.loopback import KEY, Loopback, running

DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "assistant.json").read_text())
TARGETS = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]
ABSENT = "Prometheus is not installed: apt-get install prometheus"
API_KEY = "sk-observed"


def program(name: str) -> str:
    """Where one of Prometheus' programs is; skipped where it is not, an error in CI."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI"):
        pytest.fail(ABSENT)
    if found is None:
        pytest.skip(ABSENT)
    return found


class Prometheus:
    """A running one; asked about the moment `at`, in seconds since 1970, once that is known."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=300)
        self.at: float | None = None

    def ask(self, expression: str) -> list[float]:
        """The value of each series; NaN where there was nothing to count."""
        return [float(row["value"][1]) for row in self._rows(expression)]

    def _rows(self, expression: str) -> list[dict[str, Any]]:
        asked = {"query": expression} | ({} if self.at is None else {"time": str(self.at)})
        answer = self.client.get("/api/v1/query", params=asked).json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def wait(self, expression: str) -> float:
        """Until it holds for at least one series; that moment. Fails after half a minute."""
        end = time.monotonic() + 300
        while not (rows := self._rows(expression)):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.1)
        return float(rows[0]["value"][0])


def configured(folder: Path, url: str) -> Path:
    """The shipped configuration with one address instead of names in compose, asked every second."""
    found = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    found["global"]["scrape_interval"] = "1s"
    for job in found["scrape_configs"]:
        del job["dns_sd_configs"]
    found["scrape_configs"][0]["static_configs"] = [{"targets": [url.removeprefix("http://")]}]
    (folder / "api_key").write_text(API_KEY)
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(found))
    return path


@contextmanager
def watching(folder: Path, url: str) -> Iterator[Prometheus]:
    """Prometheus, asking the server at `url`."""
    address = f"127.0.0.1:{free_port()}"
    command = [program("prometheus"), f"--config.file={configured(folder, url)}", f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address={address}", "--log.level=warn"]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        answers(f"http://{address}/-/ready", process)
        watcher = Prometheus(f"http://{address}")
        with watcher.client:
            yield watcher
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()


def talk(server: Process, loopback: Loopback) -> None:
    """One reply at once, one as a stream, one that fails, one request that is refused."""
    said: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 20, "seed": 1}
    loopback.script.append("refuse x")
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {API_KEY}"}, timeout=300) as client:
        assert client.post("/v1/chat/completions", json={**said, "model": "llamacpp"}).status_code == 200
        with client.stream("POST", "/v1/chat/completions", json={**said, "stream": True}) as answer:
            assert answer.status_code == 200
            assert list(answer.iter_lines())[-2] == "data: [DONE]"
        assert client.post("/v1/chat/completions", json={**said, "model": "openai"}).status_code == 400
        assert client.post("/v1/chat/completions", content="{").status_code == 400


@pytest.fixture(scope="module")
def watcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus after it has seen the same talk twice: a rate needs a before and an after."""
    program("prometheus")
    folder = tmp_path_factory.mktemp("observe")
    given = {"DATABASE_URL": f"sqlite:///{folder}/conversations.db", "API_KEYS": API_KEY, "OPENAI_API_KEY": KEY}
    with (
        running(free_port()) as loopback,
        served(folder, OPENAI_BASE_URL=loopback.url, **given) as server,
        watching(folder, server.url) as found,
    ):
        for replies in (1, 2):
            talk(server, loopback)
            found.wait(f'sum(assistant_replies_total{{backend="llamacpp", state="done"}}) == {2 * replies}')
            found.wait(f'sum(assistant_failures_total{{backend="openai"}}) == {replies}')
            found.wait(f'sum(assistant_replies_total{{backend="openai", state="failed"}}) == {replies}')
        found.at = found.wait('up{job="assistant"} == 1')  # a busy machine may miss a later one
        yield found


def test_the_configuration_is_one(tmp_path: Path) -> None:
    command = [program("promtool"), "check", "config", "--syntax-only", "--lint-fatal"]
    shipped = subprocess.run([*command, str(DEPLOY / "prometheus.yml")], capture_output=True, text=True, check=False)
    assert shipped.returncode == 0, shipped.stderr
    wrong = tmp_path / "prometheus.yml"
    wrong.write_text((DEPLOY / "prometheus.yml").read_text().replace("authorization", "autorization"))
    assert subprocess.run([*command, str(wrong)], capture_output=True, check=False).returncode != 0


def test_prometheus_gets_in_with_its_key(watcher: Prometheus) -> None:
    assert watcher.ask('up{job="assistant"}') == [1]
    (target,) = watcher.client.get("/api/v1/targets").json()["data"]["activeTargets"]
    assert httpx.get(target["scrapeUrl"]).status_code == 401


@pytest.mark.parametrize(("title", "expression"), TARGETS, ids=[f"{t}-{n}" for n, (t, _) in enumerate(TARGETS)])
def test_every_line_of_the_dashboard_has_figures(watcher: Prometheus, title: str, expression: str) -> None:
    asked = expression.replace("$__rate_interval", "10m")
    values = [value for value in watcher.ask(asked) if math.isfinite(value)]
    assert values, expression
    assert max(values) > 0 or title == "Queue", expression  # nothing waits any more


def test_a_metric_that_nobody_has_gives_nothing(watcher: Prometheus) -> None:
    assert watcher.ask(TARGETS[0][1].replace("$__rate_interval", "10m").replace("requests", "request")) == []


def test_the_figures_are_those_of_the_talk(watcher: Prometheus) -> None:
    assert watcher.ask('assistant_replies_total{backend="openai", state="failed"}') == [2]
    assert watcher.ask('assistant_errors_total{kind="invalid_json"}') == [2]
    assert watcher.ask('assistant_first_token_seconds_count{backend="llamacpp"}') == [4]


def test_every_metric_of_ours_is_shown_somewhere(watcher: Prometheus) -> None:
    answer = watcher.client.get("/api/v1/label/__name__/values").json()["data"]
    kinds = {re.sub(r"_(bucket|sum|count)$", "", name) for name in answer if name.startswith("assistant_")}
    text = " ".join(expression for _, expression in TARGETS)
    assert {kind for kind in kinds if kind not in text} == set()


def test_the_dashboard_is_one_that_grafana_can_draw() -> None:
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"][0]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & places
        places |= cells
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
