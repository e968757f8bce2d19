"""What a model of servers has beside LangChain's methods. Knows messages and names; no server."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage


@runtime_checkable
class RemoteModel(Protocol):
    """What a model has beside LangChain's methods where servers answer."""

    async def ameasured(self, name: str | None = None) -> BaseChatModel:
        """The model, or another one of its server, with the window that the server tells. Raises ModelError kinds."""

    def count_tokens(self, messages: Sequence[BaseMessage]) -> int:
        """Tokens of a prompt, near the window as the server counts them: the thread waits for it."""
