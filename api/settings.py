"""The knobs of the API, and of all that it brings together. Knows variables only."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AnyHttpUrl, Field, SecretStr, TypeAdapter, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

import backends
from api.sms.knobs import SmsSettings
from documents.settings import DocumentSettings, EmbeddingSettings
from settings import EnvironmentSettings, Settings


class ApiSettings(EnvironmentSettings):
    """What only the API needs; keys are the whole app's."""

    title: ClassVar[str] = "The API"

    predict_mode: Literal["chat", "complete"] = Field(
        "chat", description="what /predict does where a request names no mode: chat, or complete a text"
    )
    api_models: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="a comma list of provider:model names that clients of /v1 may use beside the ready backends"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="a comma list of origins whose pages may call the API from a browser; unset: none"
    )
    max_body_bytes: int = Field(2_000_000, ge=1_000, description="the longest request body in bytes, 1000 or more")
    max_queue: int = Field(64, ge=1, description="requests that may wait or run for one backend, 1 or more")
    reply_timeout: float = Field(300, gt=0, allow_inf_nan=False, description="seconds that one reply may take")
    send_timeout: float = Field(
        30, gt=0, allow_inf_nan=False, description="seconds to wait for a client that neither reads nor sends"
    )
    shutdown_grace: float = Field(
        5,
        ge=0,
        allow_inf_nan=False,
        description="seconds that running replies are given to finish when the server ends",
    )
    rate_limit: str | None = Field(
        None, description="requests that each key, or address, may make, as in 60/minute; unset: any number"
    )
    token_quota: int | None = Field(
        None, ge=1, description="tokens, read and written, that each key, or address, may use a day; unset: any number"
    )
    limits_storage: SecretStr | None = Field(
        None, description="where both are counted, as in redis://host:6379; unset: in DATABASE_URL"
    )
    log_format: Literal["text", "json"] = Field("text", description="lines of the log: text for people, or json")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="how much our own modules log: debug, info, warning or error"
    )
    log_content: bool = Field(
        False, description="1: prompts and replies are written into logs and traces; else no word of them is"
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="where OpenTelemetry traces are sent (OTLP over HTTP, /v1/traces is added); unset: nowhere"
    )

    @field_validator("api_models", "cors_origins", mode="before")
    @classmethod
    def _commas(cls, value: Any) -> Any:
        return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not re.fullmatch(r"https?://[^/?#@\s]+", origin):
                raise ValueError(f"{origin} is no origin: write scheme and host as browsers do, https://example.org")
        return value

    @field_validator("rate_limit")
    @classmethod
    def _rate(cls, value: str | None) -> str | None:
        if value is not None:
            from limits import parse_many  # here: only this needs it

            if len(parse_many(value)) != 1:
                raise ValueError("one limit is wanted")
        return value

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return value if value is None else str(TypeAdapter(AnyHttpUrl).validate_python(value))


class ReplicaSettings(EnvironmentSettings):
    """How many processes answer where Ray Serve runs the API."""

    title: ClassVar[str] = "Ray Serve"

    model_config = SettingsConfigDict(env_prefix="RAY_")

    min_replicas: int = Field(1, ge=1, description="replicas that are always there, 1 or more")
    max_replicas: int = Field(1, ge=1, description="replicas at most; more than 1 need PostgreSQL and COOKIE_SECRET")
    target_requests: float = Field(
        8,
        gt=0,
        allow_inf_nan=False,
        description="requests that each replica should have; with more of them one is added",
    )
    upscale_delay: float = Field(
        30, gt=0, allow_inf_nan=False, description="seconds that there must be more before a replica is added"
    )
    cpus: float = Field(1, ge=0, allow_inf_nan=False, description="cores that Ray sets aside for each replica")
    gpus: float = Field(0, ge=0, allow_inf_nan=False, description="GPUs that Ray sets aside for each replica")


def api_settings() -> tuple[type[EnvironmentSettings], ...]:
    """The knob groups of the API, for whoever lists them."""
    return (ApiSettings, SmsSettings, ReplicaSettings)


def all_settings() -> tuple[type[EnvironmentSettings], ...]:
    """All groups that there are: the app's, the documents', the API's, each backend's."""
    return (Settings, DocumentSettings, EmbeddingSettings, *api_settings(), *backends.settings_groups())
