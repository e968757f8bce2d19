"""What a person types: a line editor at a terminal, else the lines of a pipe. Knows keys; no command."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

EXIT_HINT = "Ctrl-C once more ends the chat; so do exit and Ctrl-D."
CONTINUATION = "\\"  # at a line's end: the message has another line


class LineReader(Protocol):
    """A source of messages, one at a time."""

    def read(self) -> str | None:
        """The next message; None at the end."""


class PipeReader:
    """Stdin that is no terminal: a message a line."""

    def read(self) -> str | None:
        """The next line, and those that it goes on in."""
        parts: list[str] = []
        for line in iter(sys.stdin.readline, "") if sys.stdin is not None else ():  # `<&-` leaves none
            parts.append(line.rstrip("\r\n"))
            if not parts[-1].endswith(CONTINUATION):
                break
            parts[-1] = parts[-1].removesuffix(CONTINUATION)
        return "\n".join(parts) if parts else None


class PromptReader:
    """A line editor with arrow keys, which bring back earlier messages, and Tab."""

    def __init__(
        self, earlier: list[str], completions: Callable[[], Iterable[str]], print_note: Callable[[str], None]
    ) -> None:
        """`earlier` is newest first; `completions` are what Tab completes a line to."""
        self._print_note = print_note
        self._session: PromptSession[str] = PromptSession(
            "> ",
            multiline=True,
            prompt_continuation="  ",
            history=MessageHistory(earlier),
            completer=SlashCompleter(completions),
            complete_while_typing=False,
            key_bindings=key_bindings(),
            enable_suspend=True,
        )

    def read(self) -> str | None:
        """What was typed; None for Ctrl-D, and for Ctrl-C twice on an empty line."""
        for hint in (EXIT_HINT, ""):
            try:
                return self._session.prompt()
            except EOFError:
                return None
            except KeyboardInterrupt:
                if hint:
                    self._print_note(hint)
        return None


class MessageHistory(History):
    """Earlier messages. They stand in the store and in no second file: what is deleted there is gone here."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__()
        self._messages = messages

    def load_history_strings(self) -> Iterable[str]:
        """The earlier messages, newest first."""
        return self._messages

    def store_string(self, string: str) -> None:
        """Keep nothing: the store has it already."""


class SlashCompleter(Completer):
    """Completes a line that begins as one of some words does."""

    def __init__(self, completions: Callable[[], Iterable[str]]) -> None:
        self._completions = completions

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """The completions of a line that begins with a slash."""
        typed = document.text_before_cursor
        if typed.startswith("/"):
            for word in self._completions():
                if word.startswith(typed):
                    yield Completion(word, -len(typed))


def key_bindings() -> KeyBindings:
    """The keys: Enter sends; Alt-Enter, or Enter after a backslash, begins a line; Ctrl-C clears, or is passed on."""
    bindings = KeyBindings()

    @bindings.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.is_cursor_at_the_end and buffer.text.endswith(CONTINUATION):
            buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        else:
            buffer.validate_and_handle()

    @bindings.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @bindings.add("c-c")
    @bindings.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt)

    return bindings
