"""The API's settings: of HTTP, of text messages and of Ray Serve's replicas; and every group there is, by name.

Knows variables only.
"""

import re
from typing import ClassVar, Literal

from pydantic import AnyHttpUrl, Field, SecretStr, TypeAdapter, field_validator
from pydantic_settings import SettingsConfigDict

import backends
from chains.settings import CallSettings
from documents.pictures.settings import PictureSettings
from documents.settings import DocumentSettings, EmbeddingSettings
from settings import CommaSeparated, EnvironmentSettings, Settings, SettingsError
from tools import ToolSettings
from tools.host import HostPattern

URL = r"^https?://[^\s/?#]+(/[^\s?#]*)?$"
PHONE_NUMBER = r"^(whatsapp:)?\+?[0-9]{3,15}$"


class ApiSettings(EnvironmentSettings):
    """What only the API over HTTP needs; its keys are the whole app's."""

    title: ClassVar[str] = "The API"

    predict_mode: Literal["chat", "complete"] = Field(
        "chat", description="what /predict does where a request names no mode: chat, or complete a text"
    )
    api_models: CommaSeparated = Field(
        (),
        description="a comma list of names that clients of /v1 may use beside the ready backends: provider:model, "
        "llamacpp:NAME or gpt2:NAME for a model on this machine, with * for all, or a name of your own, an equals "
        "sign, and what it stands for",
    )
    cors_origins: CommaSeparated = Field(
        (), description="a comma list of origins whose pages may call the API from a browser; unset: none"
    )
    image_urls: CommaSeparated = Field(
        (),
        description="a comma list of hosts from which pictures are fetched that a request names by their http(s) "
        "address: example.org, *.example.org, * for all that are public, or an address with its port, such as "
        "127.0.0.1:8000, which alone may be private; unset: none",
    )
    max_body_bytes: int = Field(2_000_000, ge=1_000, description="the longest request body in bytes, 1000 or more")
    import_max_bytes: int = Field(
        200_000_000, ge=1_000, description="the largest file of /conversations/import in bytes, 1000 or more"
    )
    max_queue: int = Field(64, ge=1, description="requests that may wait or run for one backend, 1 or more")
    reply_timeout: float = Field(300, gt=0, allow_inf_nan=False, description="seconds that one reply may take")
    send_timeout: float = Field(
        30, gt=0, allow_inf_nan=False, description="seconds to wait for a client that neither reads nor sends"
    )
    keepalive_interval: float = Field(
        2,
        gt=0,
        allow_inf_nan=False,
        description="seconds without a word after which a stream sends a comment, for proxies that close silent ones",
    )
    shutdown_grace: float = Field(
        5,
        ge=0,
        allow_inf_nan=False,
        description="seconds that running replies are given to finish when the server ends",
    )
    response_retention_days: int = Field(
        30,
        ge=0,
        le=36_500,
        description="days that /v1/responses keeps a response for whoever asked, from its last use; 0: none is kept",
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

    @property
    def model_aliases(self) -> dict[str, str]:
        """The names in API_MODELS that stand for others, with those."""
        pairs = (name.partition("=") for name in self.api_models if "=" in name)
        return {alias.strip(): target.strip() for alias, _, target in pairs}

    @property
    def image_hosts(self) -> tuple[HostPattern, ...]:
        """IMAGE_URLS, read."""
        return tuple(map(HostPattern.parse, self.image_urls))

    @field_validator("image_urls")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            HostPattern.parse(pattern)
        return value

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
            from limits import parse_many  # imported late: only this needs it

            if len(parse_many(value)) != 1:
                raise ValueError("one limit is wanted")
        return value

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return value if value is None else str(TypeAdapter(AnyHttpUrl).validate_python(value))


class SmsSettings(EnvironmentSettings):
    """What only text messages (/sms) need."""

    title: ClassVar[str] = "Text messages"

    public_url: str | None = Field(
        None, pattern=URL, description="the http(s) address under which others reach this server, without /sms"
    )
    sms_length: int = Field(320, ge=70, le=1600, description="the longest text message in characters, 70 to 1600")
    sms_wait: float = Field(
        10, gt=0, le=14, description="seconds after which a reply is sent later, above 0 and up to 14: Twilio waits 15"
    )
    sms_tools: CommaSeparated = Field(
        (), description="a comma list of tools that are on in conversations by text message; unset: none"
    )
    twilio_account_sid: str | None = Field(
        None, description="with TWILIO_AUTH_TOKEN and TWILIO_NUMBER: slow replies are sent later, in Twilio's API"
    )
    twilio_auth_token: SecretStr | None = Field(
        None, description="proves that /sms is called by Twilio, which then needs no key; needs PUBLIC_URL"
    )
    twilio_number: str | None = Field(
        None, pattern=PHONE_NUMBER, description="the number that slow replies come from, e.g. +15005550006"
    )
    twilio_api_url: str = Field(
        "https://api.twilio.com", pattern=URL, description="where Twilio's API is, for a proxy of your own"
    )

    @property
    def token(self) -> str | None:
        """TWILIO_AUTH_TOKEN in the clear; None where it is unset."""
        return self.twilio_auth_token.get_secret_value() if self.twilio_auth_token else None

    @property
    def sends(self) -> bool:
        """Whether Twilio's API can be asked to send a message that answers no request."""
        return None not in (self.twilio_account_sid, self.token, self.twilio_number)

    def check(self) -> None:
        """Raises SettingsError for a token that nothing can be checked with."""
        if self.token and self.public_url is None:
            raise SettingsError(
                "TWILIO_AUTH_TOKEN is set and PUBLIC_URL is not: Twilio signs the address that it calls. "
                "Set PUBLIC_URL to it, without /sms, e.g. PUBLIC_URL=https://chat.example.org"
            )


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
    """The groups of settings that this file declares."""
    return (ApiSettings, SmsSettings, ReplicaSettings)


def all_settings() -> tuple[type[EnvironmentSettings], ...]:
    """Every group of settings: the app's, the documents', the tools', the API's, each backend's."""
    rooms = (DocumentSettings, EmbeddingSettings, PictureSettings, ToolSettings, CallSettings)
    return (Settings, *rooms, *api_settings(), *backends.settings_groups())
