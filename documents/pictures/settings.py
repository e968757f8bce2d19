"""Settings of pictures: bounds of what is taken, and how large it is kept. Knows variables only."""

from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from settings import EnvironmentSettings


class PictureSettings(EnvironmentSettings):
    """The bounds of pictures that models are shown."""

    title: ClassVar[str] = "Pictures for models that see"

    model_config = SettingsConfigDict(env_prefix="PICTURES_")

    max_bytes: int = Field(20_000_000, ge=1, description="the largest picture that is taken, in bytes")
    max_pixels: int = Field(100_000_000, ge=1, description="the largest picture that is unpacked, in pixels")
    max_count: int = Field(10, ge=1, le=100, description="the most pictures of one message")
    side: int = Field(
        1568, ge=32, le=8192, description="the longer side of a picture as it is kept and shown to a model, in pixels"
    )
    seconds: int = Field(20, ge=1, description="the processor time that one picture may take")
