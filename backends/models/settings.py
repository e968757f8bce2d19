"""Where models lie beside those that ship, and where new ones are kept; how many stay loaded. Knows variables only."""

import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from backends.local.memory import machine_memory
from settings import ROOT, CommaSeparated, EnvironmentSettings

DOWNLOADS = ROOT / "data" / "models"
UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|MB|GB|TB)", re.IGNORECASE)


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
    memory: str = Field(
        "80%",
        description="memory that all loaded models together may take: a size, as 6GB or 900MB, or a share of what is "
        "free, as 80%; the least used one leaves where another needs room",
    )
    idle: float = Field(
        1800,
        ge=0,
        allow_inf_nan=False,
        description="seconds after which a model that nobody uses leaves memory; 0: never",
    )

    @field_validator("memory")
    @classmethod
    def _check_memory(cls, value: str) -> str:
        match = SIZE.fullmatch(value.strip())
        if match is None or float(match["number"]) == 0 or (match["unit"] == "%" and float(match["number"]) > 100):
            raise ValueError("write a size, as 6GB or 900MB, or a share of what is free, from 1% to 100%")
        return value.strip()

    def allowed_memory(self, held: int) -> int | None:
        """Bytes that all models may take, `held` by them already; None where that is a share of what is not known."""
        match = SIZE.fullmatch(self.memory)
        assert match is not None
        number, unit = float(match["number"]), match["unit"].upper()
        if unit != "%":
            return int(number * UNITS[unit])
        memory = machine_memory()
        return None if memory is None else int((memory.available + held) * number / 100)
