"""An application on a loopback port, in a thread of its own."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn
from starlette.types import ASGIApp

TICK = 0.01  # seconds
LEFT = 1.0  # seconds for answers that are still being written when the server ends


class Prompt(uvicorn.Server):
    """Uvicorn's, ended sooner: its own looks ten times a second whether it shall end, a fifth of a second each test."""

    async def main_loop(self) -> None:
        """Until it is told to end."""
        while not await self.on_tick(0):
            await asyncio.sleep(TICK)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Idle connections are closed at once; the others, and the application's own end, are waited for."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        end = time.monotonic() + LEFT
        while (self.server_state.connections or self.server_state.tasks) and time.monotonic() < end:
            await asyncio.sleep(TICK)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()


@contextmanager
def listening(app: ASGIApp, port: int) -> Iterator[None]:
    """While the block runs."""
    server = Prompt(uvicorn.Config(app, port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(TICK)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=5)
