"""The tool `date_time`: what time it is, here or in another zone. Knows the clock and the zones of the machine."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field

from settings import Settings
from tools.call import Run, ToolError
from tools.info import ToolContext

TITLE = "Date and time"
DESCRIPTION = "Tells the date, the weekday and the time, now or of a given moment, in any time zone."
NEEDS_APPROVAL = False


class Arguments(BaseModel):
    """A moment and a zone."""

    model_config = ConfigDict(extra="forbid")

    zone: str | None = Field(
        None, max_length=64, description="an IANA time zone such as Europe/Paris; left out: the user's own"
    )
    at: str | None = Field(
        None,
        max_length=64,
        description="a moment in ISO 8601, such as 2030-05-01T12:00+02:00, to be told in that zone; left out: now",
    )


def build(settings: Settings, context: ToolContext) -> Run:
    """What tells the time to whoever asks in this conversation."""

    async def run(arguments: Arguments) -> str:
        zone = find_zone(arguments.zone or context.zone)
        moment = _parse(arguments.at, zone) if arguments.at else datetime.now(UTC)
        try:
            return describe(moment.astimezone(zone), arguments.zone or context.zone)
        except OverflowError:
            raise ToolError(f"at={arguments.at}: that year does not exist in this zone.") from None

    return run


def find_zone(name: str | None) -> tzinfo | None:
    """The zone of this name; None, which is this machine's, without one. Raises ToolError for an unknown one."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        raise ToolError(f"zone={name}: there is no such time zone. Use an IANA name such as Europe/Paris.") from None


def describe(moment: datetime, zone: str | None) -> str:
    """The moment in words and in ISO 8601."""
    calendar = moment.isocalendar()
    return (
        f"{moment:%A}, {moment.day} {moment:%B} {moment:%Y}, {moment:%H:%M:%S} {zone or moment.tzname()} "
        f"({moment.isoformat(timespec='seconds')}; day {moment:%j} of the year, ISO week {calendar.week})"
    )


def _parse(text: str, zone: tzinfo | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ToolError(f"at={text}: write a moment as in 2030-05-01T12:00+02:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone or datetime.now().astimezone().tzinfo)
