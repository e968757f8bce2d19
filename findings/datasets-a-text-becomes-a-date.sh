#!/usr/bin/env bash
# datasets 5.2.0: answers of a chat in JSON Lines that look like dates are no texts any more, and asking for texts changes them.
#
# Guess: what is in quotes in JSON is a text: `load_dataset("json", …)` gives "2024-05-01" as it stands; where it guesses, a
#        declared `features` of strings has the last word.
# Seen:  where all texts of a column, or of a field of its messages, are ISO dates or times, they are timestamp[s]: datetimes,
#        of which an offset ("+02:00") is gone. With one other text among them all stay texts. With `features` of strings
#        they are texts, but other ones: "2024-05-01 00:00:00". The same comes, without a word, of a file of dates after one
#        of texts; the two in the other order cannot be loaded.
# So:    what a model is trained on is read with one's own JSON reader (Dataset.from_list keeps the texts), and looked at.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1 pandas==3.1.1 2>/dev/null
cat >load.py <<'PY'
import json
from importlib.metadata import version
from pathlib import Path

from datasets import Dataset, Features, Value, load_dataset
from datasets.exceptions import DatasetGenerationError

STRINGS = Features({"question": Value("string"), "answer": Value("string")})
count = 0


def load(*files, **options):
    """The answers of files with these answers."""
    global count
    names = []
    for answers in files:
        count += 1
        names.append(f"{count}.jsonl")
        rows = [json.dumps({"question": "When is it?", "answer": answer}) for answer in answers]
        Path(names[-1]).write_text("\n".join(rows) + "\n")
    try:
        found = load_dataset("json", data_files=names, split="train", **options)["answer"]
    except DatasetGenerationError as error:
        return str(error.__cause__)
    return [str(answer) if isinstance(answer, str) else repr(answer) for answer in found]


DAY, TIME, OTHER = "2024-05-01", "2024-05-01T10:00:00+02:00", "not known"
seen = {
    "a date": load([DAY]),
    "a time with its offset": load([TIME]),
    "with another text": load([DAY, OTHER]),
    "declared as strings": load([DAY], features=STRINGS),
    "after a file of texts": load([OTHER], [DAY]),
    "before a file of texts": load([DAY], [OTHER]),
    "by from_list": Dataset.from_list([{"answer": DAY}])["answer"][:],
}
Path("chat.jsonl").write_text(json.dumps({"messages": [{"role": "assistant", "content": DAY}]}) + "\n")
seen["in messages"] = [repr(load_dataset("json", data_files="chat.jsonl", split="train")[0]["messages"][0]["content"])]
print("datasets", version("datasets"), "pyarrow", version("pyarrow"))
for name, answers in seen.items():
    print(f"{name:24} {answers}")
midnight = "datetime.datetime(2024, 5, 1, 0, 0)"
failed = seen.pop("before a file of texts")
assert failed == "Failed to parse string: 'not known' as a scalar of type timestamp[s]"
assert seen == {
    "a date": [midnight],
    "a time with its offset": ["datetime.datetime(2024, 5, 1, 8, 0)"],
    "with another text": [DAY, OTHER],
    "declared as strings": ["2024-05-01 00:00:00"],
    "after a file of texts": [OTHER, "2024-05-01 00:00:00"],
    "by from_list": [DAY],
    "in messages": [midnight],
}
PY
venv/bin/python load.py 2>/dev/null
