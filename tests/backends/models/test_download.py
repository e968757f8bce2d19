"""Downloads from a hub on this machine: whole, checked, gone on with, cancelled, and each refusal in one line."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from backends.models import download as module
from backends.models import downloads
from backends.models.download import download
from backends.models.hub import HubError, read_repository, search
from backends.models.progress import Progress, format_bytes, format_seconds
from backends.models.repository import ChoiceError
from backends.models.transfer import CancelledError
from settings import DEFAULT_MODEL
from tests.broken_gguf import split
from tests.conftest import GGUF
from tests.hub import COMMIT, GATED, PRIVATE, TOKEN, Hub, reach, running

ONE, SPLIT, SAVED, SEVERAL = "me/one", "me/split", "me/saved", "me/several"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Repositories with the shipped model: as it is, in three parts, saved, and in several files."""
    root = tmp_path_factory.mktemp("hub")
    for name in (ONE, SPLIT, SAVED, SEVERAL, GATED, PRIVATE):
        (root / name).mkdir(parents=True)
    for name in (ONE, GATED, PRIVATE):
        shutil.copy(GGUF, root / name / "talker-Q4_K_M.gguf")
    (root / ONE / "README.md").write_text("---\nlicense: mit\n---\n# Talker\n")
    split(GGUF, root / SPLIT, 3)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"):
        shutil.copy(DEFAULT_MODEL / name, root / SAVED / name)
    (root / SAVED / "training_args.bin").write_bytes(b"x")
    for kind in ("Q2_K", "Q3_K_M", "Q8_0"):
        (root / SEVERAL / f"other-{kind}.gguf").write_bytes(b"GGUF")
    return root


@pytest.fixture
def hub(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """That hub, and nobody's token."""
    monkeypatch.setattr("backends.models.transfer.PAUSE", 0.0)
    with running(folder) as hub:
        reach(hub, monkeypatch, tmp_path / "nowhere")
        yield hub


def get(spec: str, home: Path, progress: Progress | None = None, cancelled: threading.Event | None = None) -> Path:
    return download(spec, home, progress or Progress(0), cancelled or threading.Event())


def left(home: Path) -> list[str]:
    """The names of what was written, without the lock's."""
    return sorted(path.name for path in home.rglob("*") if path.is_file() and path.name != ".lock")


def test_a_search_tells_what_the_hub_tells(hub: Hub) -> None:
    (found,) = search("one")
    assert found == (ONE, 12345, 6, "apache-2.0", False, "gpt2", 10_347_520, 1024)
    assert "filter=gguf" in hub.asked[0][1]
    assert search("nothing of the kind") == []


def test_a_file_comes_whole_and_a_second_time_nothing_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    progress = Progress(0)
    path = get(f"{ONE}:Q4_K_M", tmp_path, progress)
    assert path == tmp_path / "me" / "one" / "talker-Q4_K_M.gguf"
    assert path.read_bytes() == GGUF.read_bytes()
    assert left(tmp_path) == ["README.md", "talker-Q4_K_M.gguf"]
    assert (progress.done, progress.share) == (progress.total, 1.0)
    hub.asked.clear()
    get(ONE, tmp_path)
    assert hub.asked == [("repository", ONE)]


def test_a_split_model_comes_with_all_its_parts_and_a_saved_one_with_what_loads_it(hub: Hub, tmp_path: Path) -> None:
    first = get(SPLIT, tmp_path)
    assert first.name == "model-f16-00001-of-00003.gguf"
    assert left(tmp_path) == [f"model-f16-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    saved = get(SAVED, tmp_path)
    assert sorted(path.name for path in saved.iterdir() if path.name != ".lock") == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert (saved / "model.safetensors").read_bytes() == (DEFAULT_MODEL / "model.safetensors").read_bytes()


def test_after_breaks_only_the_rest_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    hub.breaks = [2_000_000, 5_000_000]
    path = get(ONE, tmp_path)
    assert path.read_bytes() == GGUF.read_bytes()
    spans = [span for name, span in hub.asked if name == path.name]
    assert spans[0] == ""
    first, second = (int(span.removeprefix("bytes=").rstrip("-")) for span in spans[1:])
    assert 0 < first < second < path.stat().st_size


def test_where_the_rest_cannot_be_had_all_of_it_comes(hub: Hub, tmp_path: Path) -> None:
    hub.breaks, hub.knows_ranges = [2_000_000], False
    progress = Progress(0)
    assert get(ONE, tmp_path, progress).read_bytes() == GGUF.read_bytes()
    assert progress.done == progress.total


def test_a_connection_that_always_breaks_is_given_up_and_the_next_try_goes_on(hub: Hub, tmp_path: Path) -> None:
    hub.breaks = [1_000_000, *[0] * 5]
    with pytest.raises(HubError, match="breaks again and again"):
        get(ONE, tmp_path)
    (part,) = (name for name in left(tmp_path) if name.endswith(".part"))
    assert part.startswith(".talker-Q4_K_M.gguf.")
    hub.asked.clear()
    get(ONE, tmp_path)
    assert next(span for name, span in hub.asked if name.endswith(".gguf")) != ""


def test_a_wrong_hash_leaves_nothing_behind(hub: Hub, tmp_path: Path) -> None:
    hub.wrong = {"talker-Q4_K_M.gguf"}
    with pytest.raises(
        HubError, match=r"^talker-Q4_K_M.gguf came damaged: its hash is \w{12}… where the hub says 0000"
    ):
        get(ONE, tmp_path)
    assert not any("talker" in name for name in left(tmp_path))


def test_a_damaged_beginning_is_found_and_the_next_try_is_whole(hub: Hub, tmp_path: Path) -> None:
    hub.breaks = [1_000_000, *[0] * 5]
    with pytest.raises(HubError):
        get(ONE, tmp_path)
    part = next(path for path in tmp_path.rglob("*.part"))
    part.write_bytes(b"x" * part.stat().st_size)
    with pytest.raises(HubError, match="came damaged"):
        get(ONE, tmp_path)
    assert get(ONE, tmp_path).read_bytes() == GGUF.read_bytes()


def test_a_full_disk_is_told_before_anything_is_asked_for(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MARGIN", 10**18)
    with pytest.raises(HubError, match=r"needs 21\.7 MB more, and .* free\. Make room, or set MODELS_HOME"):
        get(ONE, tmp_path)
    assert not any(name.endswith(".gguf") for name, _ in hub.asked)


@pytest.mark.parametrize(
    ("spec", "token", "words"),
    [
        (GATED, "", "is given on terms only: accept them on http.*/me/gated, and set HF_TOKEN"),
        (GATED, TOKEN, "HF_TOKEN's account has not accepted them"),
        (PRIVATE, "", "the hub shows nobody such a repository.*If it is private, set HF_TOKEN"),
        (PRIVATE, "hf_old", r"HF_TOKEN is not valid \(401\)"),
        ("me/nothing", "", "the hub shows nobody such a repository"),
        ("a/b/c", "", "is no name of a repository: write owner/name"),
        (f"{ONE}:Q8_0", "", r"me/one has no Q8_0\. It has: talker-Q4_K_M\.gguf"),
    ],
)
def test_each_refusal_is_one_line_with_the_remedy(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, token: str, words: str
) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError, match=words) as raised:
        get(spec, tmp_path)
    assert "\n" not in str(raised.value)
    assert left(tmp_path) == []


def test_a_token_opens_what_is_private(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert get(PRIVATE, tmp_path).is_file()


def test_a_hub_that_is_away_or_not_to_be_asked_is_one_line(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for ask in (lambda: get(ONE, tmp_path), lambda: search("one")):
        with pytest.raises(HubError, match=r"the hub at http://127\.0\.0\.1:9 cannot be reached \(.*\)\. Try again"):
            ask()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set"):
        get(ONE, tmp_path)


def test_of_several_models_one_is_named(hub: Hub, tmp_path: Path) -> None:
    told = read_repository(SEVERAL)
    assert told.commit == COMMIT
    assert [offer.quantization for offer in told.offers()] == ["Q2_K", "Q3_K_M", "Q8_0"]
    assert told.choose(None).quantization == "Q8_0"
    assert told.choose("q2_k").name == "other-Q2_K.gguf"
    assert read_repository(SAVED).choose(None).name == "transformers"
    with pytest.raises(ChoiceError, match="me/several has no Q6_K"):
        told.choose("Q6_K")


def test_a_download_that_is_cancelled_keeps_what_came(hub: Hub, tmp_path: Path) -> None:
    hub.pause = 0.05
    running = downloads.start(ONE, tmp_path)
    assert downloads.start(ONE, tmp_path) is running  # who asks again sees the same
    while running.progress.done < 500_000:
        assert running.wait(0.01) == "running"
    running.cancel()
    assert running.wait() == "cancelled"
    assert [name for name in left(tmp_path) if name.endswith(".gguf")] == []
    came = max(path.stat().st_size for path in tmp_path.rglob("*.part"))
    assert came >= 400_000
    hub.pause = 0
    hub.asked.clear()
    again = downloads.start(ONE, tmp_path)
    assert again.wait() == "done"
    assert (again.path or tmp_path).read_bytes() == GGUF.read_bytes()
    assert ("talker-Q4_K_M.gguf", f"bytes={came}-") in hub.asked
    assert again in downloads.list_downloads()
    downloads.dismiss(ONE)
    assert again not in downloads.list_downloads()


def test_what_fails_in_the_background_says_why(hub: Hub, tmp_path: Path) -> None:
    failed = downloads.start(GATED, tmp_path)
    assert failed.wait() == "failed"
    assert "on terms only" in str(failed.error)
    downloads.dismiss(GATED)


def test_cancelled_before_it_began(hub: Hub, tmp_path: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(CancelledError):
        get(ONE, tmp_path, cancelled=cancelled)


def test_progress_tells_speed_and_time_left() -> None:
    now = [0.0]
    progress = Progress(0, clock=lambda: now[0])
    progress.restart(10_000_000, 2_000_000)
    assert (progress.speed, progress.seconds_left) == (None, None)
    for now[0] in (1.0, 2.0, 3.0):
        progress.add(1_000_000)
    progress.step = "downloading"
    assert progress.speed == pytest.approx(1_000_000)
    assert progress.label == "downloading: 5.0 MB of 10.0 MB, 1.0 MB/s, 5 s left"
    assert (format_bytes(999), format_bytes(2_497_280_256), format_bytes(386_404_992)) == ("999 B", "2.5 GB", "386 MB")
    assert (format_seconds(59), format_seconds(61), format_seconds(3_661)) == ("59 s", "1 min 01 s", "1 h 01 min")
