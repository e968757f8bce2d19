"""What the shipped model was trained on: eight public repositories, each at one commit, fetched with git and rebuilt.

Git checks the hash of every object it hands over, so the commit vouches for each file. Knows no format (`formats`) and
no git (`clones`).
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.dialogue import Dialogue
from training.sources._download import cache
from training.sources._files import require_items
from training.sources.dialogues import TWO_SIDED
from training.sources.shipped import clones, formats

HOST = "https://github.com"


@dataclass(frozen=True)
class Origin:
    """Where one source comes from. The last of `paths` is the pattern of its files, the others stand beside them.

    `one_in`: of a source that is larger than wanted, the share that is kept, drawn by the hash of its text.
    """

    source: str
    repository: str
    commit: str
    licence: str
    paths: tuple[str, ...]
    parse: Callable[[Path], Iterator[formats.Parsed]]
    one_in: int = 1

    @property
    def url(self) -> str:
        """The address of the repository that git clones."""
        return f"{HOST}/{self.repository}"

    @property
    def name(self) -> str:
        """The folder of its clone."""
        return self.repository.rpartition("/")[2]


# Eight digits where no more is recorded: git refuses them should they ever fit two commits.
ORIGINS = (
    Origin(
        "self-dialogue",
        "jfainberg/self_dialogue_corpus",
        "113a1b0f",
        "BSD-3-Clause",
        ("blocked_workers.txt", "corpus/*/*.csv"),
        formats.self_dialogue,
    ),
    Origin(
        "synthetic-persona-chat",
        "google-research-datasets/Synthetic-Persona-Chat",
        "1f367a0f05d388ca96ebbbc9e5752ab19ac76510",
        "CC BY 4.0",
        ("data/Synthetic-Persona-Chat_test.csv",),
        formats.synthetic_persona_chat,
    ),
    Origin(
        "schema-guided-dialogue",
        "google-research-datasets/dstc8-schema-guided-dialogue",
        "e852981ae34990f4358979625854259302feaa78",
        "CC BY-SA 4.0",
        ("train/dialogues_*.json",),
        formats.schema_guided,
        one_in=4,
    ),
    Origin(
        "taskmaster-4",
        "google-research-datasets/Taskmaster",
        "d92cb6af3005f1dc09c39e75e7daf4a04905e00b",
        "CC BY 4.0",
        ("TM-4-2024/data/data_*.json",),
        formats.taskmaster,
    ),
    Origin(
        "topical-chat",
        "alexa/Topical-Chat",
        "7c939229cbcf6f55f6977b341a5a2f2fe982d53f",
        "CDLA-Sharing-1.0",
        ("conversations/valid_freq.json",),
        formats.topical_chat,
    ),
    Origin(
        "dolly",
        "nayohan/dolly-15k-analysis",
        "5797d87c90c8c13a8ec79897381991a280092945",
        "CC BY-SA 3.0",
        ("dolly_decode_bak/google_flan-t5-base_decode_output.jsonl",),
        formats.dolly,
    ),
    Origin(
        "rasbt-instructions",
        "rasbt/LLMs-from-scratch",
        "28c65cdfbc3338e2e040016eea4b7fdf556e4d57",
        "Apache-2.0",
        ("ch07/01_main-chapter-code/instruction-data.json",),
        formats.instructions,
    ),
    Origin(
        "chatterbot-corpus",
        "gunthercox/chatterbot-corpus",
        "a01efece",
        "BSD-3-Clause",
        ("chatterbot_corpus/data/english/*.yml",),
        formats.chatterbot,
    ),
)
LICENCE = ", ".join(dict.fromkeys(origin.licence for origin in ORIGINS))


def read(raw: Path | None, origins: tuple[Origin, ...] = ORIGINS) -> Iterator[Dialogue]:
    """Every dialogue of every origin, its licence said first; `raw` is a folder of clones.

    Raises ValueError naming file and line or commit, OSError, UnreachableError.
    """
    for origin in origins:
        print(f"{origin.source}: {origin.licence}, {origin.url} at {origin.commit}", file=sys.stderr)
        if raw is None:
            folder = clones.fetched(origin.url, origin.commit, origin.paths, cache() / "shipped" / origin.name)
        else:
            folder = clones.verified(origin.url, origin.commit, origin.paths, raw / origin.name)
        yield from require_items(origin.source, _dialogues(origin, folder), folder / origin.paths[-1])


def _dialogues(origin: Origin, folder: Path) -> Iterator[Dialogue]:
    for path in sorted(folder.glob(origin.paths[-1])):
        for turns, personas in origin.parse(path):
            dialogue = Dialogue(origin.source, turns, personas, origin.source in TWO_SIDED)
            if dialogue.key % origin.one_in == 0:
                yield dialogue
