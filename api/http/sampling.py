"""Sampling parameters as clients send them: OpenAI's names, and those of vLLM and llama-server. Knows no route."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

StopString = Annotated[str, Field(min_length=1, max_length=200)]
Stop = StopString | Annotated[list[StopString], Field(max_length=16)]


class SamplingParams(BaseModel):
    """Sampling parameters; one that is not given is left to the settings, and then to the model."""

    model_config = ConfigDict(extra="forbid")

    temperature: float | None = Field(None, ge=0, le=2, description="0 is greedy")
    top_p: float | None = Field(None, ge=0, le=1, description="nucleus sampling")
    top_k: int | None = Field(None, ge=-1, le=2**31 - 1, description="from the k likeliest tokens, 0 or -1 for all")
    min_p: float | None = Field(None, ge=0, le=1, description="tokens of at least this share of the likeliest one's")
    repetition_penalty: float | None = Field(None, gt=0, le=2, description="above 1 discourages tokens of the reply")
    repeat_last_n: int | None = Field(
        None,
        ge=-1,
        le=2**31 - 1,
        description="how many of the last tokens repetition_penalty is for, the prompt's too: -1 all, 0 none; "
        "unset: the reply's",
    )
    frequency_penalty: float | None = Field(None, ge=-2, le=2, description="for each time a token was said")
    presence_penalty: float | None = Field(None, ge=-2, le=2, description="for a token that was said")
    seed: int | None = Field(None, ge=-(2**63), lt=2**63, description="the same text again, on the same machine")
    max_tokens: int | None = Field(None, ge=1, le=2**31 - 1, description="the longest reply in tokens")
    stop: Stop | None = Field(None, description="texts that end the reply; they are not part of it")
    ignore_eos: bool | None = Field(None, description="go on where the model would end, until max_tokens")

    @field_validator("*", mode="before")
    @classmethod
    def _parse_whole_number(cls, value: Any) -> Any:
        """Take 5.0 for a whole number, as JSON does, in the fields of whoever inherits these, too."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def options(self) -> dict[str, Any]:
        """The chain's options: those that were given, in the chain's terms."""
        options = {name: value for name in SamplingParams.model_fields if (value := getattr(self, name)) is not None}
        if "seed" in options:
            options["seed"] %= 2**32
        if options.get("top_p") == 0:  # OpenAI's clients mean greedy; a nucleus of nothing is none
            options["top_p"] = 1e-6
        if isinstance(options.get("stop"), str):
            options["stop"] = [options["stop"]]
        return options
