"""The tool `read_page`: the text of one web page, from hosts that the operator allows. Knows what a page's text is."""

import asyncio
from importlib.util import find_spec

from pydantic import BaseModel, ConfigDict, Field

from settings import Settings, install_hint
from tools.call import Run, ToolError
from tools.info import ToolContext
from tools.settings import ToolSettings
from tools.web.page import Page, load_page

TITLE = "Read a web page"
DESCRIPTION = "Loads a web page and gives its title and text. It reads no PDF, no picture and nothing behind a login."
NEEDS_APPROVAL = True
HTML = {"text/html", "application/xhtml+xml", ""}
TEXT = {"application/json", "application/xml", "application/ld+json", "application/rss+xml", "application/atom+xml"}
INSTALL = "pip install -r requirements-tools.txt"


class Arguments(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(min_length=1, max_length=2_000, description="the http or https address of the page")


def availability_error(settings: Settings) -> str | None:
    """Why no page can be read; None where one can."""
    if find_spec("trafilatura") is None:
        return install_hint("trafilatura", INSTALL, "EXTRAS=tools")
    if not settings.group(ToolSettings).tools_hosts:
        return "no host is allowed; name some in TOOLS_HOSTS"
    return None


def build(settings: Settings, context: ToolContext) -> Run:
    """What reads pages of the hosts in TOOLS_HOSTS."""
    group = settings.group(ToolSettings)

    async def run(arguments: Arguments) -> str:
        page = await load_page(arguments.url, group.host_patterns, group.tools_bytes, group.tools_seconds)
        return await asyncio.to_thread(page_text, page)

    return run


def page_text(page: Page) -> str:
    """Address, title and text of a page. Raises ToolError for a kind that has no text, or a page without any."""
    if page.kind not in HTML and page.kind not in TEXT and not page.kind.startswith("text/"):
        raise ToolError(f"{page.url}: {page.kind} is not read, only HTML and text.")
    text = _main_text(page) if page.kind in HTML else _decode(page)
    if not text.strip():
        raise ToolError(f"{page.url}: there is no text in this page.")
    return f"{page.url}\n{text.strip()}"


def _main_text(page: Page) -> str:
    """Title and main text of HTML, without menus and scripts."""
    from trafilatura import extract, extract_metadata  # here: it takes a second to import

    title = extract_metadata(page.content, default_url=page.url).title
    return f"{title or ''}\n\n{extract(page.content, url=page.url, include_comments=False) or ''}"


def _decode(page: Page) -> str:
    try:
        return page.content.decode(page.charset or "utf-8", "replace")
    except LookupError:  # a character set that nobody knows
        return page.content.decode("utf-8", "replace")
