"""The knobs of the API. Knows variables only."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from settings import Environment


class Knobs(Environment):
    """What only the API needs; keys are the whole app's."""

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
        10,
        ge=0,
        allow_inf_nan=False,
        description="seconds that running replies are given to finish when the server ends",
    )

    @field_validator("api_models", "cors_origins", mode="before")
    @classmethod
    def _commas(cls, value: Any) -> Any:
        return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value


def groups() -> tuple[type[Environment], ...]:
    """The knob groups of the API, for whoever lists them."""
    return (Knobs,)
