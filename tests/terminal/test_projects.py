"""Projects in a terminal: made, opened, filled, left and deleted, between pipes and by a person at the keyboard."""

from pathlib import Path

import pytest

from conversations.store import projects
from tests.conversations.talk import mine, texts
from tests.loopback import Loopback
from tests.terminal.conftest import Run, Start


def prompt(loopback: Loopback, number: int = -1) -> str:
    return "\n".join(str(message["content"]) for message in loopback.requests[number]["messages"])


@pytest.mark.server
def test_a_project_is_made_filled_and_talked_in(run: Run, loopback: Loopback, tmp_path: Path) -> None:
    (tmp_path / "ferry.txt").write_text("The ferry leaves at nine. It costs four crowns.")
    lines = [
        *("/project", "/project show", "/project new The  garden", "/project system Answer as a gardener."),
        *("/project tools calculator", f"/project attach {tmp_path / 'ferry.txt'}", "/project show", "/documents"),
        *("/find ferry", "When does the ferry leave?", "/tools off", "And now?", "/project", "/project off", "hi"),
        *(
            "/project move the garden",
            "/project chats",
            "/project search crowns",
            "/project search leave",
            "/project x",
        ),
    ]
    done = run("chat", said="\n".join(lines), LLM_BACKEND="openai")
    assert done.code == 1, "two lines are refused"
    assert "There are no projects: /project new NAME makes one." in done.out
    assert "/project show: no project is open." in done.err
    assert "There is no project 'x'." in done.err
    assert "system\tAnswer as a gardener." in done.out
    assert "project\tferry.txt\t1 passage" in done.out
    assert "[1] ferry.txt: The ferry leaves at nine." in done.out
    assert "*\tThe garden\t1 conversation" in done.out
    assert prompt(loopback, 0).startswith("Answer as a gardener.")
    assert "leaves at nine" in prompt(loopback, 0)
    assert [("tools" in request) for request in loopback.requests] == [True, False, False]
    assert "gardener" not in prompt(loopback, 2)
    store = mine("terminal")
    (project,) = projects.listing(store)
    assert {texts(store, row.id)[0] for row in projects.conversations(store, project.id)} == {
        "When does the ferry leave?", "hi",
    }  # fmt: skip
    assert "Nothing found." in done.out

    again = run("chat", "--project", "THE GARDEN", "--resume", said="Well?", LLM_BACKEND="openai")
    assert again.code == 0
    assert prompt(loopback).startswith("Answer as a gardener.")
    wrong = run("chat", "--project", "the gardn", LLM_BACKEND="openai")
    assert (wrong.code, wrong.err) == (
        2, "There is no project 'the gardn'. Near: The garden. `/project` in a chat lists all.\n",
    )  # fmt: skip


def test_what_a_project_names_answers_unless_somebody_names_another(run: Run, loopback: Loopback) -> None:
    project = projects.create(mine("terminal"), "Garden", backend="openai")
    run("chat", "--project", "Garden", "--max-tokens", "2", said="hi", LLM_BACKEND="llamacpp")
    assert len(loopback.requests) == 1
    run("chat", "--project", "Garden", "--backend", "llamacpp", "--max-tokens", "2", said="hi", LLM_BACKEND="openai")
    assert len(loopback.requests) == 1
    assert projects.count(mine("terminal"), project.id) == 2
    away = run("chat", "--project", "Garden", said="hi", LLM_BACKEND="llamacpp", OPENAI_BASE_URL="", OPENAI_API_KEY="")
    assert away.code == 1
    assert "openai, which the project names, is not ready" in away.err


def test_a_deletion_asks_what_becomes_of_the_conversations(chat: Start, loopback: Loopback) -> None:
    store = mine("terminal")
    project = projects.create(store, "Garden", persona={
        "slug": "keeper", "name": "Keeper", "description": "keeps bees", "sentences": ["I keep bees."],
    })  # fmt: skip
    talk = chat("--project", "Garden", LLM_BACKEND="openai")
    assert "Project: Garden" in talk.shown
    assert "Keeper: keeps bees" in talk.shown
    talk.send_line("hi")
    talk.expect(loopback.reply)
    talk.wait_for_prompt()
    assert prompt(loopback).startswith("I keep bees.")
    talk.send_line("/project delete")
    talk.expect("Its 1 conversation: [k]eep them")
    talk.send_line("c")
    talk.expect("nothing is deleted")
    talk.wait_for_prompt()
    assert projects.count(store, project.id) == 1
    talk.send_line("/project delete")
    talk.expect("[c]ancel?")
    talk.send_line("keep")
    talk.expect("Garden is deleted, its 1 conversation kept.")
    talk.wait_for_prompt()
    talk.send_line("exit")
    assert talk.wait_for_exit() == 0
    assert projects.listing(store) == []
    (row,) = store.listing()
    assert (row.title, row.project_id) == ("hi", None)


def test_a_project_is_one_file(run: Run, tmp_path: Path) -> None:
    store, path = mine("terminal"), tmp_path / "garden.json"
    project = projects.create(store, "Garden", system="Prune.")
    with store.database.writing() as session:
        store.create(session, title="Oaks", project_id=project.id)
    done = run("export", "--project", "garden", "--output", str(path))
    assert (done.code, done.out) == (0, f"The project Garden is written to {path}\n")
    assert run("export", "--project", "Garden", "--all").code == 2
    done = run("import", str(path), "--owner", "other")
    assert (done.code, done.out) == (0, "1 added, 1 of them under a new id, 0 there already; projects: Garden.\n")
    (copied,) = projects.listing(mine("other"))
    assert projects.count(mine("other"), copied.id) == 1
    assert run("import", str(path), str(path)).code == 2
