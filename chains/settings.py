"""The settings of replies that call tools: how often, and how long a person is waited for. Knows variables."""

from typing import ClassVar

from pydantic import Field

from settings import EnvironmentSettings


class CallSettings(EnvironmentSettings):
    """The limits of calls."""

    title: ClassVar[str] = "Calls of tools"

    tools_rounds: int = Field(8, ge=1, le=100, description="how often a model may call tools in one reply, 1 to 100")
    tools_expiry: float = Field(
        24, gt=0, le=24 * 365, description="hours for which a call waits for a person, above 0 and up to 8760"
    )
