"""Pages read from pictures, several at a time, each with its time. Knows threads and bounds; nothing of files."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import numpy as np

from documents.allowance import renew_time
from documents.part import Box, Limits, Line, Part
from documents.scan.layout import compose
from documents.scan.preview import make_preview
from documents.scan.recognizer import Pixels, Recognizer

BREAK = "\n\n"  # between what a page says of itself and what its pictures say
WHITE = 255


@dataclass(frozen=True)
class Page:
    """A picture of a page. `part` holds what is known of it beside that: its text is kept, before that of the picture,
    or where it only says why there is none, as long as the picture says nothing either.

    Where `areas` are named, only what stands in them is read, and nothing of what stands in `known`.
    """

    part: Part
    picture: Pixels = field(repr=False)
    areas: tuple[Box, ...] = ()
    known: tuple[Box, ...] = ()


def read_pages(pages: Iterable[Page], limits: Limits) -> Iterator[Part]:
    """The parts of these pages as they are done; a page is asked for when there is room for it."""
    renew_time(limits.page_seconds * limits.workers)
    with ThreadPoolExecutor(limits.workers) as threads:
        running = set[Future[Part]]()
        for page in pages:
            running.add(threads.submit(_read, page))
            while len(running) > limits.workers:  # one more lies ready
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from _results(done, limits)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from _results(done, limits)


def _results(done: Iterable[Future[Part]], limits: Limits) -> Iterator[Part]:
    for each in done:
        renew_time(limits.page_seconds * limits.workers)
        yield each.result()


def _read(page: Page) -> Part:
    """The part of a page, with what its picture says."""
    reading = Recognizer.shared().read(_masked(page))
    upright = np.rot90(page.picture, reading.turns)
    height, width = upright.shape[:2]
    said, lines = compose(reading.found, width, height)
    if not said:
        return replace(page.part, text=page.part.text.strip())
    before = page.part.text.strip() if page.part.unread is None else ""
    offset = len(before) + len(BREAK) if before else 0
    shifted = tuple(Line(each.start + offset, each.end + offset, each.box) for each in lines)
    text = f"{before}{BREAK}{said}" if before else said
    return replace(page.part, text=text, unread=None, lines=shifted, picture=make_preview(upright))


def _masked(page: Page) -> Pixels:
    """The picture, white where nothing is to be read."""
    if not page.areas:
        return page.picture
    masked = page.picture.copy()
    masked[:] = WHITE
    for box in page.areas:
        rows, columns = _span(page.picture, box)
        masked[rows, columns] = page.picture[rows, columns]
    for box in page.known:
        masked[_span(page.picture, box)] = WHITE
    return masked


def _span(picture: Pixels, box: Box) -> tuple[slice, slice]:
    """Rows and columns of a place."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    return slice(int(top * height), round(bottom * height) + 1), slice(int(left * width), round(right * width) + 1)
