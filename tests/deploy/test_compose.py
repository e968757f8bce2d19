"""compose.yaml, as Docker's own Compose reads it: who starts, with what, what is refused. No container runs here."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml
from sqlalchemy import make_url

import backends
from api.settings import api_settings
from settings import ROOT, Settings
from tests.conftest import variables

COMPOSE = Path(sys.executable).with_name("docker-compose")
SECRETS = {"POSTGRES_PASSWORD": "pg-Passw0rd", "COOKIE_SECRET": "c" * 32}
DEPLOY = ROOT / "deploy"
OURS = {"app", "page", "api", "app-gpu"}
KINDS = {
    "app": {"app", "db"},
    "split": {"page", "api", "db"},
    "gpu": {"app-gpu", "vllm", "db"},
    "observe": {"prometheus", "grafana"},
}
Service = dict[str, Any]


def copied(place: Path) -> Path:
    """A copy of deploy/, so that nobody's own deploy/.env counts."""
    return Path(shutil.copytree(DEPLOY, place / "checkout" / "deploy", ignore=shutil.ignore_patterns(".env")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that all tests read."""
    return copied(tmp_path_factory.mktemp("compose"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """One that a test may write to."""
    return copied(tmp_path)


def compose(folder: Path, *arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    """What Compose says, with these variables and no others."""
    command = [str(COMPOSE), "-f", str(folder / "compose.yaml"), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **given}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)


@cache
def model(folder: Path, *profiles: str, **given: str) -> dict[str, Any]:
    """The whole file as Compose understood it for these profiles."""
    chosen = [part for profile in profiles for part in ("--profile", profile)]
    done = compose(folder, *chosen, "config", "--format", "json", **{**SECRETS, **given})
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def services(folder: Path, *profiles: str, **given: str) -> dict[str, Service]:
    """Those that would start."""
    found: dict[str, Service] = model(folder, *profiles, **given)["services"]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_profile_starts_its_own_and_nothing_else(folder: Path, kind: str) -> None:
    assert set(services(folder, kind)) == KINDS[kind]
    if kind != "observe":
        assert set(services(folder, kind, "observe")) == KINDS[kind] | KINDS["observe"]


def test_after_the_documented_copy_plain_up_is_the_app_and_a_named_profile_takes_its_place(own: Path) -> None:
    text = (own / ".env.example").read_text()
    (own / ".env").write_text(text)
    refused = compose(own, "config")
    assert refused.returncode != 0  # the secrets are still empty
    for name, value in SECRETS.items():
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    (own / ".env").write_text(text)
    assert set(compose(own, "config", "--services").stdout.split()) == KINDS["app"]
    assert set(compose(own, "--profile", "split", "config", "--services").stdout.split()) == KINDS["split"]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", [None, ""])
def test_without_a_secret_nothing_starts_and_the_remedy_is_told(folder: Path, name: str, value: str | None) -> None:
    given = {key: secret for key, secret in SECRETS.items() if key != name} | ({} if value is None else {name: value})
    done = compose(folder, "--profile", "app", "config", **given)
    assert done.returncode != 0
    assert name in done.stderr
    assert "deploy/.env.example" in done.stderr


@pytest.mark.parametrize(
    ("text", "typo"),
    [("restart:", "restrat:"), ("    environment:", "    enviroment:"), ("interval: 10s", "interval: soon"),
     ("env_file: [{path", "env_file: [{paht"), ("service_healthy", "service_healty"), ("limits: {cpus", "limits: {cpu"),
     ("  api: {condition", "  apy: {condition"), ("state:/data", "stat:/data"), ("source: api_key", "source: a_key")],
)  # fmt: skip
def test_a_typo_is_refused(own: Path, text: str, typo: str) -> None:
    file = own / "compose.yaml"
    assert text in file.read_text()
    file.write_text(file.read_text().replace(text, typo))
    assert compose(own, "--profile", "*", "config", **SECRETS).returncode != 0


def test_every_container_is_limited_restarted_watched_and_pinned(folder: Path) -> None:
    watched = "\nHEALTHCHECK " in (ROOT / "Dockerfile").read_text()
    for name, service in services(folder, "*").items():
        assert service["restart"] == "unless-stopped", name
        assert int(service["deploy"]["resources"]["limits"]["memory"]) >= 2**28, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        check = service["healthcheck"]
        assert check.keys() >= {"interval", "timeout", "retries"}, name
        assert "test" in check or (name in OURS and watched), name
        image, _, tag = service["image"].partition(":")
        assert (image == "llm-assistant") == (name in OURS)
        assert tag not in {"", "latest"}, name
        assert name in OURS or re.search(r"\d+\.\d+", tag), name


def test_nothing_is_published_to_others_unless_told(folder: Path) -> None:
    def published(**given: str) -> dict[str, list[tuple[str, str]]]:
        found = services(folder, "*", **given)
        return {name: [(p["host_ip"], p["published"]) for p in s.get("ports", [])] for name, s in found.items()}

    plain = published()
    assert {address for ports in plain.values() for address, _ in ports} == {"127.0.0.1"}
    assert plain["db"] == plain["vllm"] == []
    told = published(HOST="0.0.0.0", PORT="80")
    assert told["app"] == told["page"] == told["app-gpu"] == [("0.0.0.0", "80")]
    assert told["prometheus"] == [("127.0.0.1", "9090")]


def test_what_lasts_lies_in_named_volumes_and_the_rest_is_read_only(folder: Path) -> None:
    found = model(folder, "*")
    kept = {name: {(v["source"], v["target"]) for v in s["volumes"] if v["type"] == "volume"}
            for name, s in found["services"].items()}  # fmt: skip
    assert all(kept[name] == {("state", "/data")} for name in OURS)
    assert kept["db"] == {("database", "/var/lib/postgresql/data")}
    assert {source for volumes in kept.values() for source, _ in volumes} == set(found["volumes"])
    for name, service in found["services"].items():
        for bind in (v for v in service["volumes"] if v["type"] == "bind"):
            assert bind["read_only"], name
            assert Path(bind["source"]).exists(), name
    assert {name for name, s in found["services"].items() if s.get("read_only")} == OURS | {"db", "grafana"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_settings_take_what_a_container_is_given(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    service = services(folder, "*")[name]
    assert set(service["environment"]) <= set(variables())
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, value)
    for group in (*api_settings(), *backends.settings_groups()):
        group.read()
    settings = Settings.read()
    assert settings.host == "0.0.0.0"
    assert settings.port == service["ports"][0]["target"]
    assert settings.cookie_secret is not None
    assert settings.cookie_secret.get_secret_value() == SECRETS["COOKIE_SECRET"]
    if name in {"page", "app-gpu"}:
        assert backends.choose(settings).name == "openai"
        assert service["build"]["args"]["BACKENDS"] == "openai"
    url = make_url(settings.database_url)
    given = services(folder, "*")["db"]["environment"]
    assert (url.host, url.username, url.password, url.database) == (
        "db", given["POSTGRES_USER"], given["POSTGRES_PASSWORD"], given["POSTGRES_DB"])  # fmt: skip


def test_other_settings_come_from_the_file_beside_it_and_do_not_move_what_is_wired(own: Path) -> None:
    settings = {"TEMPERATURE": "0.3", "LLM_BACKEND": "gpt2", "OPENAI_API_KEY": "sk-theirs", "PORT": "9000"}
    (own / ".env").write_text("".join(f"{name}={value}\n" for name, value in (SECRETS | settings).items()))
    found = {name: s.get("environment", {}) for name, s in services(own, "*").items()}
    assert {found[name]["TEMPERATURE"] for name in OURS} == {"0.3"}
    assert {name for name in OURS if found[name]["LLM_BACKEND"] == "gpt2"} == {"app", "api"}
    assert {name for name in OURS if found[name]["OPENAI_API_KEY"] == "sk-theirs"} == {"app", "api"}
    assert (found["app"]["PORT"], found["api"]["PORT"]) == ("8501", "5000")
    assert "OPENAI_API_KEY" not in found["db"].keys() | found["vllm"].keys() | found["grafana"].keys()


def test_the_page_asks_the_api_with_one_of_its_keys(folder: Path) -> None:
    found = services(folder, "split", API_KEY="sk-one")
    page, api = found["page"], found["api"]
    assert page["environment"]["OPENAI_BASE_URL"] == f"http://api:{api['environment']['PORT']}/v1"
    assert page["environment"]["OPENAI_API_KEY"] == "sk-one"
    assert page["depends_on"]["api"]["condition"] == api["depends_on"]["db"]["condition"] == "service_healthy"
    program, *arguments = api["command"]
    assert program == "uvicorn"
    parsed = uvicorn.main.make_context("uvicorn", arguments).params
    assert (parsed["app"], parsed["host"], parsed["port"]) == ("api:app", "0.0.0.0", 5000)


def test_vllm_has_the_gpu_and_serves_what_the_page_asks_for(folder: Path) -> None:
    found = services(folder, "gpu", VLLM_MODEL="someone/model", VLLM_WINDOW="4096")
    vllm, app = found["vllm"], found["app-gpu"]
    assert vllm["command"] == ["--model", "someone/model", "--max-model-len", "4096"]
    assert app["environment"]["OPENAI_MODEL"] == "someone/model"
    assert app["environment"]["OPENAI_BASE_URL"] == "http://vllm:8000/v1"
    assert vllm["deploy"]["resources"]["reservations"]["devices"] == [
        {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    ]
    assert app["depends_on"]["vllm"]["condition"] == "service_healthy"
    assert vllm["environment"]["VLLM_NO_USAGE_STATS"] == "1"  # SECURITY.md: no usage figures are sent


def test_no_secret_stands_in_the_file() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for name, value in re.findall(r"(\w*(?:PASSWORD|SECRET|KEY|TOKEN)): +(.*)", text):
        assert re.match(r'"?\$\{\w+:|""', value), name
    assert "${POSTGRES_PASSWORD:?" in re.findall(r"DATABASE_URL: (.*)", text)[0]
    assert not re.search(r"^(?!#)\w*(PASSWORD|SECRET|KEY|TOKEN)=.", (DEPLOY / ".env.example").read_text(), re.MULTILINE)


def test_the_example_names_every_variable_with_its_default(folder: Path) -> None:
    lines = (folder / ".env.example").read_text().splitlines()
    named = dict(line.removeprefix("# ").split("=", 1) for line in lines if re.match(r"(# )?[A-Z_]+=", line))
    assert named.pop("COMPOSE_PROFILES") == "app"
    wanted = {}
    for name, default in re.findall(r"\$\{(\w+):[-?]([^}]*)\}", (folder / "compose.yaml").read_text()):
        wanted[name] = "" if name in SECRETS or name == "API_KEY" else default
    assert named == wanted
    told = compose(folder, "config", "--variables", **SECRETS).stdout.splitlines()[1:]
    assert {line.split()[0] for line in told} == set(wanted)


def test_an_argument_of_the_build_is_one_that_the_image_has(folder: Path) -> None:
    has = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    for name in OURS:
        build = services(folder, "*")[name]["build"]
        assert set(build["args"]) <= has
        assert Path(build["context"]) == folder.parent


def test_who_watches_finds_what_there_is(folder: Path) -> None:
    found = model(folder, "*", API_KEY="sk-one")
    ports = {name: {p["target"] for p in s.get("ports", [])} for name, s in found["services"].items()}
    ports["vllm"] = {8000}
    jobs = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    asked = [(name, sd["port"]) for job in jobs for sd in job["dns_sd_configs"] for name in sd["names"]]
    assert {name for name, _ in asked} == OURS | {"vllm"}
    assert all(port in ports[name] for name, port in asked)
    prometheus, grafana = found["services"]["prometheus"], found["services"]["grafana"]
    mounted = {v["target"]: Path(v["source"]) for v in prometheus["volumes"] + grafana["volumes"]}
    key = Path(prometheus["configs"][0]["target"])
    assert key == Path("/etc/prometheus") / jobs[0]["authorization"]["credentials_file"]
    assert found["configs"]["api_key"]["content"] == "sk-one"
    assert mounted[f"{key.parent}/prometheus.yml"] == folder / "prometheus.yml"
    files = yaml.safe_load((mounted["/etc/grafana/provisioning"] / "dashboards" / "files.yaml").read_text())
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert files["providers"][0]["options"]["path"] == str(home.parent)
    assert (mounted[str(home.parent)] / home.name).is_file()
