"""Personas: what ships is whole and varied; files are read, merged and written safely."""

import os
from pathlib import Path

import pytest

from prompts.persona import SHIPPED_FOLDER, USER_FOLDER, Persona, load, load_all, save, slugify

ROSA = Persona("rosa", "Rosa, baker", "Up early.", ("I am Rosa.", "I work as a baker.", "J'aime le thé 🍵."))


def test_fifty_ship() -> None:
    shipped = load(SHIPPED_FOLDER)
    assert len(shipped) == 50
    assert len({p.name for p in shipped}) == len({p.description for p in shipped}) == 50
    assert all(4 <= len(p.sentences) <= 6 for p in shipped)
    assert all(sentence[-1] in ".!?" and len(sentence) < 80 for p in shipped for sentence in p.sentences)
    assert len({s for p in shipped for s in p.sentences}) == sum(len(p.sentences) for p in shipped)


def test_the_system_prompt_is_its_sentences() -> None:
    assert ROSA.system == "I am Rosa. I work as a baker. J'aime le thé 🍵."


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = save(ROSA, tmp_path / "new")
    assert path == tmp_path / "new" / "rosa.txt"
    assert load(tmp_path / "new") == [ROSA]
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["rosa.txt"]


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    save(ROSA, tmp_path)
    other = Persona("rosa", "Rosa, nurse", "Kind.", ("I am a nurse.",))
    with pytest.raises(FileExistsError, match=r"rosa.txt is there already: choose another name"):
        save(other, tmp_path)
    assert load(tmp_path) == [ROSA]
    save(other, tmp_path, overwrite=True)
    assert load(tmp_path) == [other]


def test_a_failed_save_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    save(ROSA, tmp_path)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        save(Persona("rosa", "Other", "Other.", ("I am other.",)), tmp_path, overwrite=True)
    assert load(tmp_path) == [ROSA]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "name", ["", "..", "../rosa", "a/b", "a\\b", "/etc/passwd", "Rosa", "rosa.txt", "-a", "a\n", "a" * 81]
)
def test_a_slug_is_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="a slug has a-z, 0-9"):
        Persona(name, "Rosa", "Baker.", ("I am Rosa.",))


@pytest.mark.parametrize("text", ["", " I am", "I am\nRosa", "I am\u2028Rosa", "half \ud83d"])
def test_a_text_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="is not one trimmed line"):
        Persona("rosa", "Rosa", "Baker.", ("I am Rosa.", text))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the name is wanted here, not ''"),
        ("\nRosa\n\nI am.", "line 1: the name is wanted"),
        ("Rosa\n\nI am Rosa.", "line 2: a one-line description is wanted"),
        ("Rosa\nBaker.\nI am Rosa.", "line 3: an empty line is wanted here, not 'I am Rosa.'"),
        ("Rosa\nBaker.\n\n", "line 4: a sentence such as 'I have two cats.' is wanted"),
        ("Rosa\nBaker.\n\nI am Rosa.\n\nI bake.", "line 5: a sentence"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "rosa.txt").write_text(content)
    with pytest.raises(ValueError, match=message) as raised:
        load(tmp_path)
    assert str(tmp_path / "rosa.txt") in str(raised.value)


def test_other_encodings_and_names_are_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "rosa.txt"
    path.write_bytes("Rosé\nBaker.\n\nI am Rosé.".encode("latin-1"))
    with pytest.raises(ValueError, match=r"rosa.txt: not UTF-8 text .* save it as UTF-8"):
        load(tmp_path)
    path.unlink()
    (tmp_path / "My Rosa.txt").write_text("Rosa\nBaker.\n\nI am Rosa.")
    with pytest.raises(ValueError, match=r"My Rosa.txt: .*rename or mend"):
        load(tmp_path)


def test_a_windows_editor_may_have_written_it(tmp_path: Path) -> None:
    (tmp_path / "rosa.txt").write_bytes("\ufeffRosa\r\nBaker. \r\n\r\nI am Rosa.\r\n\r\n".encode())
    assert load(tmp_path) == [Persona("rosa", "Rosa", "Baker.", ("I am Rosa.",))]


def test_personas_come_by_name_and_a_later_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = load_all()
    assert [p.name.casefold() for p in shipped] == sorted(p.name.casefold() for p in shipped)
    mine = Persona(shipped[0].slug, "zz mine", "My own.", ("I am mine.",))
    save(mine, USER_FOLDER)
    assert load_all()[-1] == mine
    assert len(load_all()) == len(shipped)
    save(Persona(mine.slug, "zz other", "Later.", ("I am later.",)), tmp_path / "more")
    assert load_all(USER_FOLDER, tmp_path / "more", tmp_path / "absent")[-1].name == "zz other"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="absent: no such folder of personas"):
        load(tmp_path / "absent")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Marta, lighthouse keeper", "marta-lighthouse-keeper"),
        ("Zoë's café!", "zoes-cafe"),
        ("../../etc/passwd", "etc-passwd"),
        ("日本", "persona"),
        ("", "persona"),
        ("word " * 50, "word-word-word-word-word-word-word-word"),
    ],
)
def test_any_text_has_a_slug(text: str, expected: str) -> None:
    assert slugify(text) == expected
    assert Persona(slugify(text), "N", "D.", ("S.",)).slug == expected
