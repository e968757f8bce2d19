"""The command as a user runs it, on small models and on the one that ships."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from settings import DEFAULT_MODEL
from tests.training import tiny
from training import decoding, evaluate
from training.decoding import Decoding
from training.loaded_model import load


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows: list[dict[str, Any]] = [
        {"source": "self-dialogue", "turns": [tiny.turn(4 * i + k) for k in range(4)]} for i in range(12)
    ]
    rows += [{"source": "dolly", "turns": [f"what is {w}?", tiny.turn(i)]} for i, w in enumerate(tiny.WORDS)]
    path = tmp_path_factory.mktemp("data") / "valid.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


def told(*argv: str | Path) -> dict[str, Any]:
    """The JSON of a run."""
    out = Path("out.json")
    assert evaluate.main([*map(str, argv), "--json", str(out), "--max-new-tokens", "8"]) == 0
    report: dict[str, Any] = json.loads(out.read_text())
    assert not list(Path().glob("*.part*"))
    return report


def test_the_whole_report(model: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--replies", "3", "--decoding", "default", "--decoding", "temperature=0.7,top_k=5", "--plot", "out.png"]
    report = told(model, "--data", data, *options)
    human, written = report["sources"]["self-dialogue"], report["sources"]["dolly"]
    assert human["cases"] == 36
    assert human["hits_at_1_interval"][0] <= human["hits_at_1"] <= human["hits_at_1_interval"][1]
    assert (written["cases"], written["hits_at_1"]) == (0, None)  # 11 other replies are not 19
    assert report["overall"]["tokens"] == human["tokens"] + written["tokens"]
    assert 1 < human["perplexity_per_byte"] < human["perplexity_per_token"]
    rows = report["models"][0]["replies"]
    assert [row["decoding"] for row in rows] == ["default", "temperature=0.7,top_k=5"]
    assert rows[1]["draws"]["top_k"] == 5
    assert rows[1]["overall"]["replies"] == 6
    assert len(report["models"][0]["samples"]) == 20
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "hits@1/20" in printed
    assert "do you have any pets?" in printed


def test_a_seed_gives_the_same_report(model: Path, data: Path) -> None:
    options: list[str | Path] = ["--data", data, "--cases", "10", "--replies", "4", "--seed", "5"]
    first, second = (told(model, *options) for _ in range(2))
    for report in (first, second):
        report["models"][0].pop("seconds")
    assert first == second
    assert first["sources"]["self-dialogue"]["cases"] == 10


def test_several_models_meet_the_same_cases(model: Path, data: Path, tmp_path: Path) -> None:
    other = tiny.save(tmp_path / "other", choice=True, positions=64)
    report = told(model, other, "--data", data, "--replies", "1", "--plot", "out.svg")
    first, second = (m["sources"]["self-dialogue"] for m in report["models"])
    assert report["sources"] == report["models"][0]["sources"]
    assert (first["cases"], first["bytes"]) == (second["cases"], second["bytes"])
    assert "hits_at_1_choice" in second
    assert "hits_at_1_choice" not in first


EVERYDAY = """
how are you today? | I am fine, thank you.
do you have any pets? | Yes, I have a dog.
what is your favourite food? | I love pizza.
what do you do for work? | I am a teacher.
what is your name? | My name is Anna.
do you like music? | Yes, I listen to music every day.
where do you live? | I live in a small town by the sea.
thank you very much! | You are welcome.
good night! | Good night, sleep well.
what colour do you like? | My favourite colour is blue.
how old are you? | I am thirty years old.
do you have brothers or sisters? | I have two brothers.
what is the weather like? | It is raining here.
do you play any sports? | I play football at the weekend.
what movie did you see last? | I saw Star Wars with a friend.
can you cook? | I can make a good soup.
do you like to read? | I love to read books in bed.
i am very tired | You should get some rest.
where did you go on holiday? | We went to France last summer.
i lost my keys | Oh no, where did you see them last?
is coffee better than tea? | I drink coffee in the morning.
"""


def test_the_model_that_ships_tells_a_reply_from_others() -> None:
    pairs = [line.split(" | ") for line in EVERYDAY.strip().splitlines()]
    rows = [{"source": "everyday", "turns": pair} for pair in pairs]
    Path("small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = told(DEFAULT_MODEL, "--data", "small.jsonl", "--replies", "2", "--decoding", "greedy")
    found = report["sources"]["everyday"]
    assert found["cases"] == 21
    assert found["hits_at_1"] > 0.2
    assert found["perplexity_per_token"] < 100
    assert report["models"][0]["replies"][0]["draws"]["do_sample"] is False
    assert all(sample["reply"] for sample in report["models"][0]["samples"])


def test_without_data_the_openings_are_answered(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = told(model)
    assert report["sources"] == {}
    assert [s["prompt"] for s in report["models"][0]["samples"]] == evaluate.OPENINGS.read_text().splitlines()
    assert "ppl/token" not in capsys.readouterr().out


def test_a_batch_answers_as_each_prompt_alone(model: Path) -> None:
    """Greedy, so that only padding could make a difference."""
    one = load(str(model))
    prompts = [[{"role": "user", "content": tiny.turn(i) * (i % 3 + 1)}] for i in range(5)]
    config = decoding.generation_config(one, decoding.parse("greedy"), 12)
    alone = [reply for prompt in prompts for reply in decoding.generate_replies(one, [prompt], config, 1)]
    assert list(decoding.generate_replies(one, prompts, config, 1)) == alone


def test_a_persona_chat_file_brings_its_own_candidates(model: Path) -> None:
    utterances = [
        {"history": ["hi there ."], "candidates": [*(tiny.turn(i) for i in range(19)), "i like tea ."]},
        {"history": ["hi there .", "i like tea .", "why ?"], "candidates": [*map(tiny.turn, range(30, 49)), "so ."]},
    ]
    row = {"personality": ["i sing ."], "utterances": utterances}
    Path("persona.json").write_text(json.dumps({"train": [row, row], "valid": [row]}))
    report = told(model, "--data", "persona.json", "--replies", "0")
    assert report["sources"]["personachat"]["cases"] == 2


def test_true_replies_that_were_trained_on_are_told_apart(model: Path, data: Path) -> None:
    whole = told(model, "--data", str(data), "--replies", "0")
    some = [json.loads(line) for line in gzip.decompress(data.read_bytes()).splitlines()][:3]
    Path("trained.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    report = told(model, "--data", str(data), "--replies", "0", "--trained-on", "trained.jsonl")
    for source, found in report["sources"].items():
        assert found["hits_at_1"] == whole["sources"][source]["hits_at_1"]
    assert 0 < report["overall"]["unseen_cases"] < report["overall"]["cases"]
    everything = told(model, "--data", str(data), "--replies", "0", "--trained-on", str(data))
    assert everything["overall"]["hits_at_1_unseen"] is None


def test_a_model_without_template_reads_speaker_lines(model: Path, tmp_path: Path, data: Path) -> None:
    bare = tiny.save(tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    one = load(str(bare))
    read = one.encoder.encode_dialogue(
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "I like tea"}]
    )
    assert one.encoder.tokenizer.decode(read.ids) == "User: hi\nAssistant: I like tea\n"
    assert one.encoder.tokenizer.decode(read.ids[slice(*read.spans[0])]) == " I like tea\n"
    assert one.encoder.decode_reply(one.encoder.tokenizer.encode("tea\nUser: and you?")) == "tea"


def test_decoding_settings_are_read() -> None:
    assert decoding.parse("default") == Decoding("default", {})
    assert decoding.parse("top_k=3").options == {"do_sample": True, "top_k": 3}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["models/none"], "models/none does not exist"),
        (["{model}", "--data", "none.jsonl"], "none.jsonl does not exist"),
        (["{model}", "--data", "empty.jsonl"], "empty.jsonl"),
        (["{model}", "--data", "blank.jsonl"], "blank.jsonl"),
        (["{model}", "--data", "bad.jsonl"], "line 1"),
        (["{model}", "--data", "bad.jsonl.gz"], "bad.jsonl.gz"),
        (["folder"], "config.json"),
        (["broken"], "broken cannot be loaded"),
        (["x.gguf"], "x.gguf is a file"),
        (["{model}", "--decoding", "warmth=3"], "warmth"),
        (["{model}", "--decoding", "top_p=much"], "much"),
        (["{model}", "--decoding", "top_p=7"], "top_p"),
        (["{model}", "--decoding", "temperature=0"], "greedy"),
        (["{model}", "--json", "none/out.json"], "none does not exist"),
        (["{model}", "--plot", "out.doc"], "out.doc"),
        (["{model}", "--max-new-tokens", "500"], "window"),
    ],
)
def test_bad_input_is_one_line(
    model: Path, data: Path, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    files = {"empty.jsonl": "", "bad.jsonl": "{", "bad.jsonl.gz": "not gzip", "x.gguf": "GGUF",
             "blank.jsonl": '{"source": "x", "turns": ["hi", ""]}\n'}  # fmt: skip
    for name, content in files.items():
        Path(name).write_text(content)
    Path("folder").mkdir()
    Path("broken").mkdir()
    Path("broken/config.json").write_text((model / "config.json").read_text())
    Path("broken/model.safetensors").write_bytes(b"no weights")
    given = [a.format(model=model) for a in argv]
    assert evaluate.main(given if "--json" in given else [*given, "--json", "out.json"]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert len(error.splitlines()) == 1
    assert not Path("out.json").exists()


@pytest.mark.parametrize("option", [["--cases", "-1"], ["--cases", "many"], ["--colour"]])
def test_a_wrong_option_is_one_line(model: Path, capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        evaluate.main([str(model), *option])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(["--help"])
    assert "python -m training.evaluate models/default --data" in capsys.readouterr().out
