"""Numbers of a spreadsheet as it shows them: 12.5%, € 1,234.50, 00501, and dates as 2026-03-05. Knows format codes.

Dates are written as ISO 8601 has them, whatever order a format puts them in: 03/05 would be two days.
A format that is rarer than these (fractions, powers of ten) shows the number itself.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

GENERAL = "General"
BUILT_IN = {  # formats that a file names by number alone
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 37: "#,##0", 38: "#,##0", 39: "#,##0.00",
    40: "#,##0.00", 14: "yyyy-mm-dd", 15: "yyyy-mm-dd", 16: "yyyy-mm-dd", 17: "yyyy-mm-dd", 18: "h:mm", 19: "h:mm:ss",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss",
} | dict.fromkeys((*range(27, 37), *range(50, 59)), "yyyy-mm-dd")  # fmt: skip
DIGITS, SHOWN = 15, 10  # that a spreadsheet keeps of a number; that it shows of one with a fraction
LAST_DAY = 2_958_465  # 9999-12-31, in days
TOKEN = re.compile(
    r"""
    "(?P<quoted>[^"]*)" | \\(?P<escaped>.) | [_*](?P<filled>.) | \[\$(?P<currency>[^\]-]*)[^\]]*\] |
    \[(?P<elapsed>[hms]+)\] | \[(?P<hint>[^\]]*)\] | (?P<digits>[0#?][0#?,]*(?:\.[0#?]*)?(?P<scale>,*)|\.[0#?]+) |
    (?P<percent>%) | (?P<rare>[eE][+-]|/|@) | (?P<general>General) | (?P<date>AM/PM|A/P|[ymdhsgbe]+) | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
LITERALS = ("quoted", "escaped", "currency", "other")


@dataclass(frozen=True)
class Section:
    """One of the up to four formats in a code: what stands around the digits, and what they are."""

    before: str = ""
    digits: str | None = None
    after: str = ""
    percent: bool = False
    date: str = ""
    elapsed: bool = False
    rare: bool = False


def format_number(value: float, code: str, is_1904: bool = False) -> str:
    """A number as a format shows it."""
    sections = parse_format(code)
    first = sections[0]
    if (first.date or first.elapsed) and 0 <= value <= LAST_DAY:
        return _duration(value) if first.elapsed else _date(value, first.date, is_1904)
    is_negative = value < 0 and len(sections) > 1
    section = sections[2] if not value and len(sections) > 2 else sections[1] if is_negative else first
    if section.rare or section.date or (section.digits is None and not section.before):
        return general(value)
    return _fill(section, abs(value) if is_negative else value)


def general(value: float) -> str:
    """A number without a format."""
    if abs(value) < 10**DIGITS and (value == int(value) or abs(value) >= 10**SHOWN):
        return f"{value:.0f}"
    return f"{value:.{SHOWN}g}"


@lru_cache(1_000)
def parse_format(code: str) -> tuple[Section, ...]:
    """The sections of a format code: for numbers above zero, or for all; below zero; zero."""
    parts = re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', code)
    return tuple(_section(part) for part in parts[:3])


def _section(code: str) -> Section:
    around = ["", ""]
    digits: list[str] = []
    percent = rare = elapsed = False
    date = ""
    for match in TOKEN.finditer(code):
        kind = match.lastgroup if match.lastgroup != "scale" else "digits"
        if kind in LITERALS:
            around[bool(digits)] += match[kind]
        elif kind == "digits":
            digits.append(match["digits"])
        elif kind == "percent":
            percent = True
            around[bool(digits)] += "%"
        elif kind == "date":
            date += match["date"].lower()
        rare = rare or kind in {"rare", "general"}
        elapsed = elapsed or kind == "elapsed"
    if len(digits) > 1 and not date:
        rare = True
    return Section(around[0], digits[0] if digits else None, around[1], percent, date, elapsed, rare)


def _fill(section: Section, value: float) -> str:
    """The literals of a section with the number in their middle."""
    if section.digits is None:
        return section.before.strip()
    placeholders = section.digits.rstrip(",")
    whole, _, fraction = placeholders.partition(".")
    number = Decimal(repr(value)).scaleb(-3 * (len(section.digits) - len(placeholders)))
    number = number * 100 if section.percent else number
    rounded = number.quantize(Decimal(1).scaleb(-len(fraction)), ROUND_HALF_UP, context=Context(prec=400))
    text = f"{rounded.copy_abs():,f}" if "," in whole else f"{rounded.copy_abs():f}"
    text = _trim(text, fraction)
    least = whole.count("0")
    before, point, after = text.partition(".")
    before = before.zfill(least) if "," not in whole else before
    sign = "-" if rounded < 0 else ""
    return f"{sign}{section.before}{before}{point}{after}{section.after}".strip()


def _trim(text: str, fraction: str) -> str:
    """Without zeros at the end that a format does not ask for."""
    for place in reversed(fraction):
        if place == "0" or not text.endswith("0"):
            break
        text = text[:-1]
    return text.removesuffix(".")


def _date(value: float, tokens: str, is_1904: bool) -> str:
    """A day, a time, or both, as far as the format has them and the number says more than midnight."""
    days = value + 1462 if is_1904 else value + 1 if value < 60 else value  # 1900 has a 29th of February there
    moment = datetime(1899, 12, 30) + timedelta(seconds=round(days * 86_400))
    has_day, has_time = bool(set(tokens) & set("ydgbe")), bool(set(tokens) & set("hs"))
    if not has_time or (has_day and moment.time() == datetime.min.time()):
        return moment.date().isoformat()
    time = moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
    return f"{moment.date().isoformat()} {time}" if has_day or value >= 1 else time


def _duration(value: float) -> str:
    """Hours, minutes and seconds that may be more than a day."""
    seconds = round(value * 86_400)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}" + (f":{seconds % 60:02}" if seconds % 60 else "")
