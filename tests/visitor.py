"""A browser without a screen: it loads the page, keeps its cookies, and reads the texts of a run over the websocket."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NewSession_pb2 import NewSession
from websockets.sync.client import connect


class Visitor:
    """One profile; `cookies` is its jar."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx.Client(base_url=address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.http.close()

    @property
    def cookies(self) -> dict[str, str]:
        """Those that it would send."""
        return {cookie.name: cookie.value or "" for cookie in self.http.cookies.jar}

    def load(self, path: str = "/", **headers: str) -> httpx.Response:
        """Navigate, as a browser asks for a page."""
        return self.http.get(path, headers={"Accept": "text/html,*/*", **headers})

    def run(self) -> Iterator[ForwardMsg]:
        """One run of the script: every message until it has ended."""
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        stream = f"{self.address.replace('http', 'ws', 1)}/_stcore/stream"
        with connect(stream, additional_headers={"Cookie": jar}) as socket:
            asked = BackMsg()
            asked.rerun_script.query_string = ""
            socket.send(asked.SerializeToString())
            while True:
                message = ForwardMsg.FromString(socket.recv(timeout=300, decode=False))
                yield message
                if message.WhichOneof("type") == "script_finished":
                    return

    def texts(self) -> list[str]:
        """What the script wrote with st.text."""
        shown = [message.delta.new_element for message in self.run() if message.WhichOneof("type") == "delta"]
        return [element.text.body for element in shown if element.WhichOneof("type") == "text"]

    def session(self) -> NewSession:
        """What the server says of itself at the start."""
        return next(message.new_session for message in self.run() if message.WhichOneof("type") == "new_session")
