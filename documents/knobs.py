"""How large a document may be, and how long its reading may take. Knows names and bounds; reads no document."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from settings import Environment


class Limits(Environment):
    """The knobs of reading."""

    model_config = SettingsConfigDict(env_prefix="DOCUMENTS_")

    max_bytes: int = Field(50_000_000, ge=1, description="the largest file that is read, in bytes")
    max_pages: int = Field(5_000, ge=1, description="the most pages of one file")
    max_characters: int = Field(20_000_000, ge=1, description="the most text of one file, in characters")
    max_files: int = Field(200, ge=1, description="the most documents that one owner may keep")
    seconds: int = Field(300, ge=1, description="the processor time that the reading of one file may take")
