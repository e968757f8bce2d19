"""The models that this process holds: each loaded once, kept as long as memory allows, and let go.

A model is asked for by a key. One that is there is leased at once; another is loaded in a thread of its own (`_run`):
1. who comes meanwhile waits for the same loading, 2. one model is loaded at a time, so that what it takes can be told,
3. the least used ones leave where memory lacks, never one that is leased or has requests, 4. it is built, and measured,
5. whoever still waits is given a lease; where nobody waits any more the loading ends early. Those that nobody used for
a while leave by themselves (`_watch`). Knows sizes and leases; nothing of what a model is, nor of names.
"""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

from langchain_core.exceptions import ModelAPIError, ModelError

from backends.local.loading import LoadCancelledError, Loading, use
from backends.models.machine import resident_memory
from backends.models.progress import format_bytes

END = 10.0  # seconds that loadings under way are given to end
log = logging.getLogger(__name__)


class NoMemoryError(ModelError):
    """There is no room for a model, and there would be none if all others left."""


class BusyMemoryError(ModelAPIError):
    """There is no room for a model as long as others answer."""


class Held(Protocol):
    """What is held: a model that takes memory."""

    @property
    def queue_length(self) -> int:
        """How many requests wait or run."""

    def close(self) -> None:
        """End what computes, and keep what is worth it for the next time."""


M = TypeVar("M")


@dataclass(frozen=True)
class Order(Generic[M]):
    """How a model is loaded: `need` are the bytes that it is expected to take; None where it takes none here.

    `allowed`, given the bytes that are held, is how many all together may take, None for any. `idle`: seconds that it
    stays while nobody uses it, 0 for ever. `bring` has its files on this machine, however long that takes: others are
    loaded meanwhile.
    """

    label: str
    build: Callable[[], M]
    need: Callable[[], int] | None = None
    allowed: Callable[[int], int | None] = lambda held: None
    idle: float = 0
    bring: Callable[[], None] = lambda: None


@dataclass(eq=False)
class Resident(Generic[M]):
    """A loaded model; `measured` are the bytes that loading it took, None where that is not known."""

    key: str
    label: str
    model: M
    held: Held | None  # the model, where it takes memory of this machine
    estimate: int
    measured: int | None
    idle: float
    before: int | None = None  # bytes that the process held before it, until its first use is over
    leases: int = 0
    last_used: float = field(default_factory=time.monotonic)

    @property
    def size(self) -> int:
        """Bytes that are set aside for it."""
        return max(self.estimate, self.measured or 0)

    @property
    def is_busy(self) -> bool:
        """Whether somebody uses it at the moment."""
        return self.leases > 0 or (self.held is not None and self.held.queue_length > 0)

    @property
    def expires(self) -> float:
        """When it leaves if nobody uses it until then; monotonic seconds."""
        return self.last_used + self.idle


class Lease(Generic[M]):
    """A model that stays until this is released."""

    def __init__(self, resident: Resident[M], released: Callable[[Resident[M], bool], None]) -> None:
        """Made by a Residency, under its lock; `released` takes the model back."""
        self._resident: Resident[M] | None = resident
        self._released = released
        self.model = resident.model
        resident.leases += 1

    def release(self, was_used: bool = True) -> None:
        """Give the model back, after something was computed or not; a second call does nothing."""
        resident, self._resident = self._resident, None
        if resident is not None:
            self._released(resident, was_used)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class _Pending(Generic[M]):
    """A model that is being loaded, and who waits for it."""

    def __init__(self) -> None:
        self.futures: list[Future[Lease[M]]] = []
        self.is_cancelled = False
        self.loading = Loading(self._is_wanted)
        self.thread: threading.Thread | None = None

    def _is_wanted(self) -> bool:
        return not self.is_cancelled and any(not future.cancelled() for future in self.futures)


class Residency(Generic[M]):
    """The loaded models of a process. Every method may be called from any thread."""

    def __init__(self, as_held: Callable[[M], Held | None]) -> None:
        """`as_held`: a function that says whether a model takes memory of this machine."""
        self._as_held = as_held
        self._changed = threading.Condition()
        self._turn = threading.RLock()  # of who loads, or lets go
        self._residents: dict[str, Resident[M]] = {}
        self._pending: dict[str, _Pending[M]] = {}
        self._watcher: threading.Thread | None = None

    def find(self, key: str) -> Resident[M] | None:
        """The model of a key where it is loaded; never waits."""
        return self._residents.get(key)

    def residents(self) -> list[Resident[M]]:
        """All that are loaded."""
        with self._changed:
            return list(self._residents.values())

    def progress(self, key: str) -> float | None:
        """How much of a model is loaded, from 0 to 1; None where it is not being loaded."""
        pending = self._pending.get(key)
        return None if pending is None else pending.loading.fraction

    def lease(self, key: str) -> Lease[M] | None:
        """A lease of a model that is loaded; None where it is not; never waits."""
        with self._changed:
            resident = self._residents.get(key)
            return None if resident is None else Lease(resident, self._take_back)

    def request(self, key: str, order: Order[M]) -> Future[Lease[M]]:
        """A lease, when the model is loaded; who no longer waits cancels it. Its exceptions are ModelError kinds."""
        future: Future[Lease[M]] = Future()
        with self._changed:
            lease = self.lease(key)
            if lease is not None:
                future.set_result(lease)
                return future
            pending = self._pending.get(key)
            if pending is None or pending.is_cancelled:
                pending = self._pending[key] = _Pending()
                name = f"load-{order.label}"
                pending.thread = threading.Thread(target=self._run, args=(key, order, pending), name=name, daemon=True)
                pending.futures.append(future)
                pending.thread.start()
            else:
                pending.futures.append(future)
        return future

    def _take_back(self, resident: Resident[M], was_used: bool) -> None:
        with self._changed:
            resident.leases -= 1
            resident.last_used = time.monotonic()
            if was_used and resident.before is not None:  # what computing needs is taken when it first computes
                self._measure(resident)
                resident.before = None

    @staticmethod
    def _measure(resident: Resident[M]) -> None:
        now = resident_memory()
        if resident.before is not None and now is not None:
            resident.measured = max(resident.measured or 0, now - resident.before)

    async def arequest(self, key: str, order: Order[M]) -> Lease[M]:
        """As `request`, in an event loop; a task that is cancelled waits no longer. Raises ModelError kinds."""
        future = self.request(key, order)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if not future.cancel():  # it was given at the last moment
                future.add_done_callback(_release)
            raise

    def close(self) -> None:
        """Let all go, at once: what is being loaded is not awaited for long."""
        with self._changed:
            loading = list(self._pending.values())
            for pending in loading:
                pending.is_cancelled = True
        for pending in loading:
            if pending.thread is not None and pending.thread is not threading.current_thread():
                pending.thread.join(END)
        with self._changed:
            residents, self._residents = list(self._residents.values()), {}
            self._changed.notify_all()
        for resident in residents:
            if resident.held is not None:
                resident.held.close()

    def leave(self, matches: Callable[[str], bool]) -> None:
        """Let the models of matching keys go that nobody uses; the others go when nobody has used them for long."""
        with self._turn:
            with self._changed:
                found = [each for key, each in self._residents.items() if matches(key) and each.held is not None]
                leaving = [each for each in found if not each.is_busy]
                for resident in leaving:
                    del self._residents[resident.key]
            for resident in leaving:
                log.info("%s leaves memory: its files go", resident.label)
                _let_go(resident)

    def _run(self, key: str, order: Order[M], pending: _Pending[M]) -> None:
        try:
            resident = self._load(key, order, pending) if order.need is None else self._load_alone(key, order, pending)
        except BaseException as error:
            if not isinstance(error, Exception):
                log.exception("loading %s was broken off", order.label)
            self._settle(key, pending, None, error)
        else:
            self._settle(key, pending, resident, None)

    def _settle(
        self, key: str, pending: _Pending[M], resident: Resident[M] | None, error: BaseException | None
    ) -> None:
        """Give everybody who waits the model, or the failure."""
        with self._changed:
            if self._pending.get(key) is pending:
                del self._pending[key]
            waiting = [future for future in pending.futures if future.set_running_or_notify_cancel()]
            leases = []
            if resident is not None and pending.is_cancelled:
                resident, error = None, LoadCancelledError("The model was closed while it was loaded.")
            if resident is not None:
                self._residents[key] = resident
                leases = [Lease(resident, self._take_back) for _ in waiting]
                self._start_watching(resident)
        for future, lease in zip(waiting, leases, strict=False):
            future.set_result(lease)
        for future in waiting[len(leases) :]:
            future.set_exception(error)

    def _load_alone(self, key: str, order: Order[M], pending: _Pending[M]) -> Resident[M]:
        """Load when no other is being loaded or let go, and there is room."""
        assert order.need is not None
        with use(pending.loading):
            order.bring()
        with self._turn:
            need = order.need()
            self._make_room(order, need)
            with self._changed:
                for other in self._residents.values():
                    other.before = None  # what comes now is not all its own
            before = resident_memory()
            resident = self._load(key, order, pending)
            resident.estimate, resident.before = need, before
            self._measure(resident)
            return resident

    def _load(self, key: str, order: Order[M], pending: _Pending[M]) -> Resident[M]:
        pending.loading.check(0.0)
        with use(pending.loading):
            model = order.build()
        held = self._as_held(model)
        if pending.is_cancelled and held is not None:
            held.close()
        return Resident(key, order.label, model, held, 0, None, order.idle if held is not None else 0)

    def _make_room(self, order: Order[M], need: int) -> None:
        """Have the least used models leave until another fits. Raises NoMemoryError, BusyMemoryError."""
        while True:
            with self._changed:
                present = [resident for resident in self._residents.values() if resident.held is not None]
                held = sum(resident.size for resident in present)
                allowed = order.allowed(held)
                if allowed is None or held + need <= allowed:
                    return
                free = [resident for resident in present if not resident.is_busy]
                if held - sum(resident.size for resident in free) + need > allowed:
                    raise _no_room(order.label, need, allowed, present)
                leaving = min(free, key=lambda resident: resident.last_used)
                del self._residents[leaving.key]
            log.info("%s leaves memory: %s needs room", leaving.label, order.label)
            _let_go(leaving)

    def _start_watching(self, resident: Resident[M]) -> None:
        """Have somebody look after models that leave by themselves; called under the lock."""
        if resident.idle and self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="idle-models", daemon=True)
            self._watcher.start()
        self._changed.notify_all()

    def _watch(self) -> None:
        while self._wait_for_expiry():
            with self._turn:  # who wants it again meanwhile waits until all of it is gone
                for resident in self._pop_expired():
                    log.info("%s leaves memory: nobody used it for %g seconds", resident.label, resident.idle)
                    _let_go(resident)

    def _wait_for_expiry(self) -> bool:
        """Wait until a model may have to leave; False where there is none left to look after."""
        with self._changed:
            watched = [resident for resident in self._residents.values() if resident.idle]
            if not watched:
                self._watcher = None
                return False
            left = min(resident.expires for resident in watched) - time.monotonic()
            if left > 0:
                self._changed.wait(left)
            return True

    def _pop_expired(self) -> list[Resident[M]]:
        """Those that nobody used for as long as they stay; they are no longer found. Who is busy begins anew."""
        with self._changed:
            now = time.monotonic()
            for resident in self._residents.values():
                if resident.is_busy:
                    resident.last_used = now
            expired = [each for each in self._residents.values() if each.idle and each.expires <= now]
            for resident in expired:
                del self._residents[resident.key]
            return expired


def _release(future: "Future[Lease[M]]") -> None:
    """Give back what nobody waits for any more."""
    if not future.cancelled() and future.exception() is None:
        future.result().release(was_used=False)


def _let_go(resident: "Resident[M]") -> None:
    """Have a model leave, which nobody finds any more."""
    assert resident.held is not None
    try:
        resident.held.close()
    except Exception:  # whatever a library throws: it is gone all the same
        log.exception("%s could not be closed in order", resident.label)
    del resident.model
    resident.held = None
    gc.collect()  # torch's weights hang in circles


def _no_room(label: str, need: int, allowed: int, present: "list[Resident[M]]") -> ModelError:
    """Why a model is not loaded, in figures, with the remedy."""
    text = f"{label} needs {format_bytes(need)} of memory, and MODELS_MEMORY allows {format_bytes(allowed)}"
    if need > allowed:
        return NoMemoryError(f"{text}. Take a smaller model or window, or raise MODELS_MEMORY.")
    names = ", ".join(f"{each.label} ({format_bytes(each.size)})" for each in present if each.is_busy)
    return BusyMemoryError(
        f"{text}, of which models that answer at the moment have the rest: {names}. Ask again when they have answered, "
        "or raise MODELS_MEMORY."
    )
