"""One call of a tool: so many seconds, so many characters, and one line for the model where it fails. Knows no tool."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.tools import BaseTool, ToolException
from pydantic import ValidationError

from settings import Settings
from tools.settings import ToolSettings

log = logging.getLogger(__name__)
MAX_LINE = 500  # characters of an error
Run = Callable[[Any], Awaitable[str]]


class ToolError(ToolException):
    """A call that failed; the text is one line, for the model and for people."""


@dataclass(frozen=True)
class CallLimits:
    """How many seconds one call may take, and how many characters it may answer."""

    seconds: float
    characters: int

    @classmethod
    def of(cls, settings: Settings) -> "CallLimits":
        """TOOLS_SECONDS and TOOLS_CHARACTERS."""
        group = settings.group(ToolSettings)
        return cls(group.tools_seconds, group.tools_characters)


class LimitedTool(BaseTool):
    """LangChain's tool around `run`, which is given the arguments: `args_schema` itself where that is a pydantic model.

    LangChain has checked them by then, so they are not checked again.
    No name of an argument is taken: LangChain's StructuredTool has a use of its own for `config` and `run_manager`.
    """

    run_call: Run
    limits: CallLimits

    def _run(self, *args: Any, **arguments: Any) -> str:
        raise NotImplementedError(f"{self.name} runs in an event loop: await its ainvoke().")

    async def _arun(self, /, **arguments: Any) -> str:
        schema: Any = self.args_schema
        given = arguments if isinstance(schema, dict) else schema.model_construct(**arguments)
        return await limited(self.name, self.run_call(given), self.limits)


def make_tool(name: str, title: str, description: str, schema: Any, run: Run, limits: CallLimits) -> BaseTool:
    """The tool; what fails in a call of it is answered to the model in one line."""
    return LimitedTool(
        name=name,
        description=description,
        args_schema=schema,
        run_call=run,
        limits=limits,
        handle_tool_error=lambda error: one_line(str(error)),
        handle_validation_error=lambda error: one_line(describe_arguments(name, error)),
        metadata={"title": title},
    )


async def limited(name: str, result: Awaitable[str], limits: CallLimits) -> str:
    """The result, cut where it is too long. Raises ToolError for what failed or took too long."""
    try:
        async with asyncio.timeout(limits.seconds):
            return cut(await result, limits.characters)
    except ToolException:
        raise
    except TimeoutError:
        raise ToolError(f"{name} took more than {limits.seconds:g} seconds (TOOLS_SECONDS) and was stopped.") from None
    except Exception as error:  # whatever a library raises: the conversation goes on, and the log has its kind
        log.warning("the tool %s failed: %s", name, type(error).__name__)  # its text may hold what somebody wrote
        raise ToolError(f"{name} failed: {type(error).__name__}.") from error


def cut(text: str, characters: int) -> str:
    """The text, or its beginning with a last line that says how much was cut."""
    if len(text) <= characters:
        return text
    return f"{text[:characters]}\n… cut at {characters:,} characters of {len(text):,}"


def one_line(text: str) -> str:
    """The text without line breaks, at most MAX_LINE characters of it."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"


def describe_arguments(name: str, error: Any) -> str:
    """What is wrong with the arguments of a call, each with its place."""
    if not isinstance(error, ValidationError):
        return f"{name}: the arguments do not fit: {error}"
    problems = (f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in error.errors())
    return f"{name}: the arguments do not fit: {'; '.join(problems)}"
