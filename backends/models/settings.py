"""Where models lie beside those that ship, where new ones are kept, and who may download any. Knows variables only."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from settings import ROOT, CommaSeparated, EnvironmentSettings

DOWNLOADS = ROOT / "data" / "models"


class ModelsSettings(EnvironmentSettings):
    """The models that compute in this process, of whichever backend."""

    title: ClassVar[str] = "Local models"

    model_config = SettingsConfigDict(env_prefix="MODELS_")

    dirs: CommaSeparated = Field(
        (),
        description="a comma list of more folders whose models are listed; they are only read",
    )
    home: Path = Field(DOWNLOADS, description="the folder that downloaded models are kept in")
    download: Literal["local", "all", "none"] = Field(
        "local",
        description="who may download and remove models in the page: local, whoever opens it on this machine; all, "
        "everybody who reaches it; none, nobody",
    )
