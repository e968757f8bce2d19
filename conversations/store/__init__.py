"""The store of conversations: tables, and what asks them, for one owner at a time. Knows no model and no page."""

from conversations.store import links, personas, pictures, projects, responses, versions
from conversations.store.calls import AnsweredError, Decision
from conversations.store.citations import read_sources
from conversations.store.database import Database, DatabaseError, connect, disconnect
from conversations.store.inheritance import NO_PERSONA, Effective, resolve, resolve_row
from conversations.store.link_table import SharedLink
from conversations.store.pictures import PictureInfo
from conversations.store.project_table import Project
from conversations.store.projects import ListedProject
from conversations.store.scan_tables import PagePicture
from conversations.store.schema import (
    STATE_NOTES,
    CallStatus,
    Conversation,
    Counter,
    Document,
    Feedback,
    Message,
    State,
    Summary,
    ToolCall,
)
from conversations.store.search import Hit, search_conversations
from conversations.store.statistics import VOTE_COMMENT, Period, Statistics, collect_statistics
from conversations.store.store import (
    NotFoundError,
    Store,
    Thread,
    count_by_owner,
    make_title,
    new_conversation_id,
    open_store,
)
from conversations.store.temporary import forget_with, open_temporary
from conversations.store.text import MAX_MESSAGE_LENGTH, MessageError, check_message, clean, format_count

__all__ = [
    "MAX_MESSAGE_LENGTH",
    "NO_PERSONA",
    "STATE_NOTES",
    "VOTE_COMMENT",
    "AnsweredError",
    "CallStatus",
    "Conversation",
    "Counter",
    "Database",
    "DatabaseError",
    "Decision",
    "Document",
    "Effective",
    "Feedback",
    "Hit",
    "ListedProject",
    "Message",
    "MessageError",
    "NotFoundError",
    "PagePicture",
    "Period",
    "PictureInfo",
    "Project",
    "SharedLink",
    "State",
    "Statistics",
    "Store",
    "Summary",
    "Thread",
    "ToolCall",
    "check_message",
    "clean",
    "collect_statistics",
    "connect",
    "count_by_owner",
    "disconnect",
    "forget_with",
    "format_count",
    "links",
    "make_title",
    "new_conversation_id",
    "open_store",
    "open_temporary",
    "personas",
    "pictures",
    "projects",
    "read_sources",
    "resolve",
    "resolve_row",
    "responses",
    "search_conversations",
    "versions",
]
