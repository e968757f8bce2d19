"""An account at OpenAI or at servers that speak its API: OPENAI_API_KEY and OPENAI_BASE_URL, read in one place.

The backend `openai` and the vectors of documents share it. Knows variables and addresses; asks no server.
"""

from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, Field, SecretStr, TypeAdapter, field_validator
from pydantic_settings import SettingsConfigDict

from settings import EnvironmentSettings

OFFICIAL = "https://api.openai.com/v1"


class OpenAIAccount(EnvironmentSettings):
    """Key and addresses; a server of one's own may need no key."""

    model_config = SettingsConfigDict(env_prefix="OPENAI_")

    api_key: SecretStr | None = Field(None, description="the key; not needed where OPENAI_BASE_URL is set")
    base_url: str | None = Field(
        None,
        description="an http(s) address of a compatible server, e.g. http://localhost:8000/v1, "
        "or a comma list of several that serve the same model",
    )

    @field_validator("base_url")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        if value is None:
            return None
        addresses = [part.strip() for part in value.split(",") if part.strip()]
        known: set[str] = set()
        for address in addresses or [value]:
            parsed = parse_address(address, "OPENAI_API_KEY")
            if parsed in known:
                raise ValueError(f"{address} is named twice")
            known.add(parsed)
        if len(known) > 1 and any(map(is_official, known)):
            raise ValueError("OpenAI's own address shares no list: it bills, and takes other knobs; name it alone")
        return ",".join(addresses)

    @field_validator("api_key")
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        return parse_key(value)

    @property
    def addresses(self) -> list[str]:
        """The servers that are asked; none where nobody named one."""
        return self.base_url.split(",") if self.base_url else []


def parse_address(value: str, key: str = "the variable of the key") -> str:
    """An address without its last slash. Raises ValueError where it is none, or holds a secret, which `key` is for."""
    parsed = TypeAdapter(AnyHttpUrl).validate_python(value)
    if parsed.username or parsed.password or parsed.query:
        raise ValueError(f"it holds credentials, which would be shown; put them into {key}")
    return str(parsed).rstrip("/")


def parse_key(value: SecretStr | None) -> SecretStr | None:
    """A key without white space around it, None where it is empty. Raises ValueError for what no header can carry."""
    key = value.get_secret_value().strip() if value is not None else ""
    if not (key.isascii() and key.isprintable()):
        raise ValueError("it holds characters that no key has; copy it again")
    return SecretStr(key) if key else None


def is_official(address: str) -> bool:
    """Whether this is OpenAI's own address."""
    return urlsplit(address).hostname == urlsplit(OFFICIAL).hostname
