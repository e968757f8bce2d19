"""The tool `search_documents`: passages of the conversation's own documents. Knows what a search gives; no store."""

from collections.abc import Sequence

from langchain_core.documents import Document
from pydantic import BaseModel, ConfigDict, Field

from prompts.passages import format_location
from settings import Settings
from tools.call import Run
from tools.info import ToolContext

TITLE = "Search in documents"
DESCRIPTION = "Finds passages in the documents of this conversation, best first, each with its file and place."
NEEDS_APPROVAL = False
MAX_PASSAGES = 8


class Arguments(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=1_000, description="a question, or words that the passages have")


def build(settings: Settings, context: ToolContext) -> Run:
    """What searches this conversation's documents."""

    async def run(arguments: Arguments) -> str:
        if context.search_documents is None:
            return "This conversation has no documents."
        passages = await context.search_documents(arguments.query)
        return format_passages(passages[:MAX_PASSAGES]) or "No passage fits."

    return run


def format_passages(passages: Sequence[Document]) -> str:
    """The passages with their numbers and places."""
    places = (format_location(str(each.metadata.get("file", "")), each.metadata.get("place")) for each in passages)
    blocks = zip(places, passages, strict=True)
    return "\n\n".join(f"[{at}] {place}\n{each.page_content.strip()}" for at, (place, each) in enumerate(blocks, 1))
