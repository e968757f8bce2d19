"""The knobs of /sms, and whether they go together. Knows variables only."""

from typing import ClassVar

from pydantic import Field, SecretStr

from settings import EnvironmentSettings, SettingsError

ADDRESS = r"^https?://[^\s/?#]+(/[^\s?#]*)?$"
NUMBER = r"^(whatsapp:)?\+?[0-9]{3,15}$"


class SmsSettings(EnvironmentSettings):
    """What only text messages need."""

    title: ClassVar[str] = "Text messages"

    public_url: str | None = Field(
        None, pattern=ADDRESS, description="the http(s) address under which others reach this server, without /sms"
    )
    sms_length: int = Field(320, ge=70, le=1600, description="the longest text message in characters, 70 to 1600")
    sms_wait: float = Field(
        10, gt=0, le=14, description="seconds after which a reply is sent later, above 0 and up to 14: Twilio waits 15"
    )
    twilio_account_sid: str | None = Field(
        None, description="with TWILIO_AUTH_TOKEN and TWILIO_NUMBER: slow replies are sent later, in Twilio's API"
    )
    twilio_auth_token: SecretStr | None = Field(
        None, description="proves that /sms is called by Twilio, which then needs no key; needs PUBLIC_URL"
    )
    twilio_number: str | None = Field(
        None, pattern=NUMBER, description="the number that slow replies come from, e.g. +15005550006"
    )
    twilio_api_url: str = Field(
        "https://api.twilio.com", pattern=ADDRESS, description="where Twilio's API is, for a proxy of your own"
    )

    @property
    def token(self) -> str | None:
        """The token in the clear."""
        return self.twilio_auth_token.get_secret_value() if self.twilio_auth_token else None

    @property
    def sends(self) -> bool:
        """Whether a message can be sent that answers no request."""
        return None not in (self.twilio_account_sid, self.token, self.twilio_number)


def check_sms(found: SmsSettings) -> None:
    """Raises SettingsError for a token that nothing can be checked with."""
    if found.token and found.public_url is None:
        raise SettingsError(
            "TWILIO_AUTH_TOKEN is set and PUBLIC_URL is not: Twilio signs the address that it calls. "
            "Set PUBLIC_URL to it, without /sms, e.g. PUBLIC_URL=https://chat.example.org"
        )
