"""The cookie that tells browsers apart: what is accepted, and where the key comes from."""

import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from itsdangerous import TimestampSigner
from pydantic import SecretStr

from identity import LIFETIME, PREFIX, BrowserId, Cookies, _create_key, cookies
from settings import ROOT, Settings, SettingsError

KEY = "k" * 32
DAY = 24 * 3600


def test_a_cookie_that_was_given_is_known_again() -> None:
    ours = Cookies(KEY)
    badge = ours.issue({})
    assert ours.read({"other": "1", badge.cookie_name: ours.sign(badge)}) == badge
    assert badge.owner == f"browser:{badge.id}"


def test_every_cookie_is_another_and_holds_128_random_bits() -> None:
    ours = Cookies(KEY)
    made = [ours.issue({}) for _ in range(1000)]
    assert len({badge.cookie_name for badge in made}) == len({badge.id[16:] for badge in made}) == 1000
    assert {len(bytes.fromhex(badge.id[16:])) * 8 for badge in made} == {128}


@pytest.mark.parametrize("spoilt", ["", "x", ".", "..", "a.b.c", "\u00e9.\u00e9.\u00e9", "x" * 100_000])
def test_what_was_made_up_is_replaced(spoilt: str) -> None:
    ours = Cookies(KEY)
    name = ours.issue({}).cookie_name
    assert ours.read({name: spoilt}) is None
    assert ours.issue({name: spoilt}).cookie_name == name


def test_no_part_of_a_cookie_can_be_changed() -> None:
    ours = Cookies(KEY)
    badge = ours.issue({})
    value = ours.sign(badge)
    for place in range(len(value) - 1):  # the last character holds bits that the signature leaves unused
        changed = value[:place] + ("a" if value[place] != "a" else "b") + value[place + 1 :]
        assert ours.read({badge.cookie_name: changed}) is None, place


def test_the_cookie_of_another_key_is_neither_read_nor_touched() -> None:
    """Two instances on one host share the browser's cookies."""
    ours, theirs = Cookies(KEY), Cookies("t" * 32)
    foreign = theirs.issue({})
    sent = {foreign.cookie_name: theirs.sign(foreign)}
    assert ours.read(sent) is None
    assert ours.issue(sent).cookie_name != foreign.cookie_name
    moved = BrowserId(ours.issue({}).cookie_name, foreign.id)
    assert ours.read({moved.cookie_name: theirs.sign(foreign)}) is None


@pytest.mark.parametrize(("age", "known"), [(LIFETIME.total_seconds() - DAY, True), (-DAY, True),
                                            (LIFETIME.total_seconds() + DAY, False)])  # fmt: skip
def test_a_cookie_lasts_a_year_whatever_the_clock_of_its_maker(
    monkeypatch: pytest.MonkeyPatch, age: float, known: bool
) -> None:
    ours = Cookies(KEY)
    badge = ours.issue({})
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time() - age))
        value = ours.sign(badge)
    assert (ours.read({badge.cookie_name: value}) == badge) is known


def test_of_two_cookies_the_one_issued_first_counts() -> None:
    ours = Cookies(KEY)
    first, second = ours.issue({}), ours.issue({})
    jar = {second.cookie_name: ours.sign(second), first.cookie_name: ours.sign(first)}
    assert ours.read(jar) == ours.read(dict(reversed(jar.items()))) == first


def test_the_key_is_made_once_beside_the_database_for_its_owner_alone(settings: Settings, tmp_path: Path) -> None:
    badge = cookies(settings).issue({})
    file = tmp_path / "data" / "cookie.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(p.name for p in file.parent.iterdir() if "key" in p.name) == ["cookie.key"]
    again = Cookies(file.read_text())
    assert again.read({badge.cookie_name: cookies(settings).sign(badge)}) == badge


def test_who_comes_second_leaves_the_key_alone(tmp_path: Path) -> None:
    file = tmp_path / "cookie.key"
    _create_key(file)
    key = file.read_text()
    _create_key(file)
    assert file.read_text() == key
    assert [p.name for p in tmp_path.iterdir()] == ["cookie.key"]


RACE = """
import sys
from pathlib import Path
from identity import _read_key
print("ready", flush=True)
sys.stdin.readline()
print(_read_key(Path(sys.argv[1])))
"""


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    file = tmp_path / "new" / "cookie.key"
    command = [sys.executable, "-c", RACE, str(file)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    assert [process.stdout.readline() for process in started if process.stdout] == ["ready\n"] * 4
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = {process.communicate(timeout=300)[0] for process in started}
    assert [process.returncode for process in started] == [0] * 4
    assert keys == {file.read_text() + "\n"}
    assert [p.name for p in file.parent.iterdir()] == ["cookie.key"]


def test_cookie_secret_comes_before_the_file(settings: Settings, tmp_path: Path) -> None:
    given = settings.model_copy(update={"cookie_secret": SecretStr(KEY)})
    badge = cookies(given).issue({})
    assert Cookies(KEY).read({badge.cookie_name: cookies(given).sign(badge)}) == badge
    assert not (tmp_path / "data" / "cookie.key").exists()


def test_a_secret_that_can_be_guessed_is_refused_and_not_shown(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"^COOKIE_SECRET=\(hidden\): 6 characters .* 32 are the least"):
        cookies(settings.model_copy(update={"cookie_secret": SecretStr("sesame")}))


@pytest.mark.parametrize("text", [b"", b"short", b"\xff\xfe" * 40])
def test_a_file_that_is_no_key_is_named_with_the_remedy(settings: Settings, tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "data" / "cookie.key"
    file.parent.mkdir()
    file.write_bytes(text)
    with pytest.raises(SettingsError, match=r"cookie\.key.* or set COOKIE_SECRET"):
        cookies(settings)
    assert file.read_bytes() == text


def test_a_key_that_cannot_be_read_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data" / "cookie.key").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"cookie\.key.*or set COOKIE_SECRET"):
        cookies(settings)


def test_names_say_whose_cookie_it_is() -> None:
    assert Cookies(KEY).issue({}).cookie_name.startswith(PREFIX)
    assert KEY not in Cookies(KEY).issue({}).cookie_name
