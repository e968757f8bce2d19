"""A server as a program: a message a line on its stdin and stdout, none of them longer than a limit. Knows lines only.

The `mcp` package's own transport reads lines of any length, and copies what it has of one for each piece that comes.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import IO, Any

import anyio

LONGEST = 50_000_000  # bytes of a message
FLUSH_SECONDS = 0.5  # for what was sent to reach a server that ends
GRACE_SECONDS = 2.0  # for a server to end by itself, and once more when it was told to
LOOK_SECONDS = 0.01  # between two looks whether it has ended: waiting would also be for whoever has its pipes
GONE = (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError)


class LongLineError(RuntimeError):
    """A server writes a line that is longer than is read."""


@asynccontextmanager
async def stdio(parameters: Any, errlog: IO[bytes], longest: int = LONGEST) -> AsyncIterator[tuple[Any, Any]]:
    """What comes from the program of these StdioServerParameters, and what goes to it, while the block runs.

    Raises OSError where it cannot be started, LongLineError for a line of more than `longest` bytes.
    """
    from mcp.client.stdio import get_default_environment
    from mcp.shared.message import SessionMessage

    process = await anyio.open_process(
        [parameters.command, *parameters.args],
        env=get_default_environment() | (parameters.env or {}),
        stderr=errlog,
        cwd=parameters.cwd,
        start_new_session=True,
    )
    received, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, sent = anyio.create_memory_object_stream[SessionMessage](0)
    flushed = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(_receive, process, received, longest)
        group.start_soon(_send, process, sent, received, flushed)
        try:
            yield read, write
        finally:
            with anyio.CancelScope(shield=True):
                read.close()  # from now on what it says is thrown away, so that it can read and end
                write.close()
                with anyio.move_on_after(FLUSH_SECONDS):
                    await flushed.wait()
                await _end(process)
            group.cancel_scope.cancel()


async def _receive(process: Any, received: Any, longest: int) -> None:
    """Hand on each line as a message, or as the error that it is none; once nobody listens read on to the end.

    Raises LongLineError, once the program has ended.
    """
    problem: LongLineError | None = None
    with suppress(*GONE):
        async with received:
            try:
                async for line in _lines(process.stdout, longest):
                    await received.send(_parse(line))
            except LongLineError as error:
                problem = error
    with anyio.CancelScope(shield=True), suppress(*GONE):  # a program that cannot write does not end
        async for _ in process.stdout:
            pass
    if problem is not None:
        raise problem


async def _lines(stdout: Any, longest: int) -> AsyncIterator[bytes]:
    held = bytearray()
    async for piece in stdout:
        *ends, rest = piece.split(b"\n")
        for end in ends:
            held += end
            yield bytes(held)
            held.clear()
        held += rest
        if len(held) > longest:
            raise LongLineError(f"it wrote a line of more than {longest:,} bytes")


def _parse(line: bytes) -> Any:
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


async def _send(process: Any, sent: Any, received: Any, flushed: anyio.Event) -> None:
    """Write each message as a line; where the program no longer reads, whoever listens to it hears of its end."""
    try:
        async with sent:
            async for each in sent:
                line = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                await process.stdin.send(f"{line}\n".encode())
    except GONE:
        await received.aclose()
    finally:
        flushed.set()


async def _end(process: Any) -> None:
    """Close its stdin, wait, and end it with all that it started."""
    with suppress(*GONE):
        await process.stdin.aclose()
    if not await _has_ended(process):
        if sys.platform == "win32":
            process.kill()
        else:
            from mcp.os.posix.utilities import terminate_posix_process_tree

            await terminate_posix_process_tree(process, GRACE_SECONDS)
        await _has_ended(process)
    with suppress(*GONE):
        await process.stdout.aclose()


async def _has_ended(process: Any) -> bool:
    """Whether it ends within GRACE_SECONDS."""
    with anyio.move_on_after(GRACE_SECONDS):
        while process.returncode is None:  # noqa: ASYNC110 - nothing else tells
            await anyio.sleep(LOOK_SECONDS)
    return process.returncode is not None
