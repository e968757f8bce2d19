"""Settings of the whole app, read once from the environment and `.env`, each with its origin.

Knows no backend: what only one backend needs is declared in that backend's file, on the same base.
"""

import os
import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

VERSION = "0.8.0"
ROOT = Path(__file__).resolve().parent
DEFAULT_MODEL = ROOT / "models" / "default"
ENV_FILE = ".env"
PASSWORD_IN_URL = re.compile(r"(://[^/:@]*:).*(?=@)|([?&]\w*password=)[^&]*", re.IGNORECASE)  # in a URL


def display_path(path: str) -> str:
    """The path as people read it: relative where it lies in this folder."""
    return str(Path(path).relative_to(ROOT)) if Path(path).is_relative_to(ROOT) else path


def states_folder(database: Path | None) -> Path:
    """Where what models computed for conversations lies: beside SQLite's file, for a server in data/."""
    return (database.parent if database else ROOT / "data").resolve() / "states"


def display_model(model: str) -> str:
    """The name of a model's file or folder for clients: no folder outside this one."""
    return Path(model).name if Path(model).is_absolute() and display_path(model) == model else display_path(model)


def install_hint(what: str, remedy: str, argument: str) -> str:
    """The text for a package that is not there: `remedy`, or, in an image, the argument to build it with."""
    image = os.environ.get("IMAGE_BACKENDS")
    if not image:
        return f"{what}: not installed; {remedy}"
    others = "" if argument.startswith("BACKENDS=") else f" --build-arg BACKENDS={image}"
    return f"{what}: not in this image, built with BACKENDS={image}; build one with --build-arg {argument}{others}"


def _split_commas(value: Any) -> Any:
    return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]


class SettingsError(ValueError):
    """A variable holds a value it cannot have; the text names variable, value and what is allowed."""


class Option(NamedTuple):
    """One setting as `config` shows it; secrets are masked."""

    name: str
    value: str
    origin: str
    meaning: str


class EnvironmentSettings(BaseSettings):
    """Base of every group of settings: environment first, then `.env` in the working folder; empty means unset."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )
    title: ClassVar[str] = ""  # heads the group in docs/settings.md; a backend's is the name of its file

    @classmethod
    def read(cls, **values: Any) -> Self:
        """The settings as they stand now; `values`, by field, go before environment and `.env`.

        Raises SettingsError for a value that is not allowed.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise SettingsError("\n".join(cls._explain(error, values))) from None

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable of a field."""
        return (str(cls.model_config.get("env_prefix") or "") + field).upper()

    @classmethod
    def lookup(cls, field: str) -> tuple[str, str] | None:
        """The raw value of a field and its origin (environment or .env); None where nobody set it."""
        name = cls.variable(field)
        for origin, values in (("environment", dict(os.environ)), (ENV_FILE, dotenv_values(ENV_FILE))):
            value = {variable.upper(): text for variable, text in values.items()}.get(name)
            if value:
                return value, origin
        return None

    @classmethod
    def _explain(cls, error: ValidationError, values: dict[str, Any]) -> Iterator[str]:
        for problem in error.errors():
            field = str(problem["loc"][0]) if problem["loc"] else ""
            info = cls.model_fields.get(field)
            value = str(values[field]) if field in values else (cls.lookup(field) or ("", ""))[0]
            hidden = "@" in value or "?" in value or (info is not None and _is_secret(info.annotation))
            text = "(hidden)" if hidden else value
            meaning = (info.description if info is not None else None) or ""
            yield f"{cls.variable(field)}={text}: {problem['msg']}. {cls.variable(field)} is {meaning}"

    def options(self) -> Iterator[Option]:
        """Every setting with its value and origin, in the order of the fields."""
        for field, info in type(self).model_fields.items():
            source = self.lookup(field)
            value = getattr(self, field)
            text = "" if value is None else ("********" if isinstance(value, SecretStr) else _format(value))
            yield Option(self.variable(field), text, source[1] if source else "default", info.description or "")


Group = TypeVar("Group", bound=EnvironmentSettings)


def _is_secret(annotation: Any) -> bool:
    return "SecretStr" in repr(annotation)


def _format(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else PASSWORD_IN_URL.sub(r"\1\2********", str(value))


class Settings(EnvironmentSettings):
    """The app-wide settings. A sampling option that is None was set by nobody and is not sent to a server.

    They carry the groups that only one room knows, as a backend's: each is read once, and handed on with these.
    """

    title: ClassVar[str] = "The whole app"
    _groups: dict[type[EnvironmentSettings], EnvironmentSettings] = PrivateAttr(default_factory=dict)

    llm_backend: str | None = Field(
        None, description="the backend: a file name in backends/, or provider:model; unset: chosen by what is there"
    )
    llm_fallback: CommaSeparated = Field((), description="a comma list of backends to try when the first one fails")
    host: str = Field("127.0.0.1", description="the IP address the page listens on, or localhost")
    port: int = Field(8501, ge=1, le=65535, description="the port of the page, 1 to 65535")
    database_url: str = Field(
        f"sqlite:///{ROOT / 'data' / 'conversations.db'}",
        description="where conversations are kept: sqlite:///file or postgresql+psycopg://user:password@host/name",
    )
    share_links: bool = Field(
        False,
        description="1: links to conversations as they stand can be made, which whoever has one reads, without login",
    )
    share_link_days: float = Field(
        30, gt=0, le=3650, description="the days after which such a link opens nothing, at most; above 0 and up to 3650"
    )
    context_strategy: Literal["trim", "summarize"] | None = Field(
        None,
        description="what becomes of turns beyond the window: trim drops them, summarize has the model sum them up; "
        "unset: summarize with a model of a billion parameters or more, or of a size that nobody tells",
    )
    cookie_secret: SecretStr | None = Field(
        None, description="signs the cookie that tells owners apart; unset: a random one in data/cookie.key"
    )
    api_keys: SecretStr | None = Field(
        None,
        description="a comma list of keys, one of which every client of the API must send; unset: nobody needs one",
    )
    api_keys_file: Path | None = Field(
        None, description="a file of such keys, hashed: a line each as `python cli.py key NAME` prints it"
    )
    api_key: SecretStr | None = Field(None, description="the key that the terminal sends to a server at --url")
    system_prompt: str | None = Field(None, description="the system prompt; unset: prompts/system.txt")
    chat_template: Path | None = Field(
        None, description="a Jinja file used by local models instead of the template saved with them"
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="the longest reply in tokens, 1 or more, where nobody asks for another; unset, on /v1: the whole "
        "window",
    )
    reasoning_budget: int | None = Field(
        None,
        ge=0,
        lt=2**31,
        description="tokens that a model of this machine may think before it answers, 0 for none; unset: as many as it "
        "likes",
    )
    temperature: float | None = Field(None, ge=0, le=2, description="the sampling temperature, 0 (greedy) to 2")
    top_p: float | None = Field(None, gt=0, le=1, description="nucleus sampling, above 0 and up to 1")
    top_k: int | None = Field(None, ge=0, description="sample from the k likeliest tokens, 0 for all")
    repetition_penalty: float | None = Field(
        None, gt=0, le=2, description="above 1 discourages tokens that the reply has already, above 0 and up to 2"
    )
    repeat_last_n: int | None = Field(
        None,
        ge=-1,
        lt=2**31,
        description="how many of the last tokens REPETITION_PENALTY is for, those of the prompt too: -1 all of the "
        "window, 0 none; unset: those of the reply",
    )
    seed: int | None = Field(None, ge=0, lt=2**32, description="the sampling seed, 0 to 4294967295")

    @field_validator("host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        if value != "localhost":
            ip_address(value)
        return value

    @field_validator("chat_template", "api_keys_file")
    @classmethod
    def _check_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("no such file")
        return value

    @field_validator("system_prompt")
    @classmethod
    def _unescape_newlines(cls, value: str | None) -> str | None:
        return value.replace("\\n", "\n") if value else value

    def group(self, kind: type[Group]) -> Group:
        """The settings of another group: those that were handed in, else as they stood when first asked for.

        Raises SettingsError for a value that is not allowed.
        """
        if kind not in self._groups:
            self._groups[kind] = kind.read()
        group = self._groups[kind]
        assert isinstance(group, kind)
        return group

    def with_group(self, group: EnvironmentSettings) -> Self:
        """These settings with another group in place of what environment and `.env` say."""
        copy = self.model_copy()
        copy._groups = {**self._groups, type(group): group}
        return copy

    @property
    def states_folder(self) -> Path:
        """The folder of what models computed for conversations, while they are away."""
        path = self.database_url.partition("?")[0].removeprefix("sqlite:///")
        is_file = self.database_url.startswith("sqlite:///") and path not in {"", ":memory:"}
        return states_folder(Path(path) if is_file else None)

    def sampling_options(self) -> dict[str, float | int]:
        """The sampling options that somebody set."""
        names = ("temperature", "top_p", "top_k", "repetition_penalty", "repeat_last_n", "seed", "max_tokens")
        return {name: value for name in names if (value := getattr(self, name)) is not None}
