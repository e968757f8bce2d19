"""Words found in a picture, line by line, by the models of PP-OCRv6 that rapidocr brings. Knows pixels; no order.

Lines are looked for in a small copy of the picture and read from the large one. Nothing is downloaded: the models are
named by their files. A picture that lies on its side or head is turned first, as its longest lines read best.
"""

import math
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # height, width, and blue, green and red
Points = NDArray[np.float32]
PACKAGES = ("rapidocr", "onnxruntime", "cv2")
DETECTED_SIDE = 1600  # pixels of the longer side in which lines are looked for
SHORT_SIDE = 736  # pixels to which the shorter side of a small or narrow picture is enlarged for that
MOST_PIXELS = DETECTED_SIDE * 1200  # to which it is enlarged: a page of A4 has about as many
LEAST_SIDE = 32
TALL = 1.5  # of a line that stands upright, height by width
SAMPLES = 6  # lines that tell how a picture lies
SURE = 0.9  # lines that are read so well are upright
TOGETHER = 1  # lines in a batch: more take longer, and a third more memory
LEAST_SCORE = 0.5  # of a line that was read; below it is noise, as a rule
# The detector was trained with these; rapidocr has others, with which it misses words that stand alone.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MODELS = {"Det": "det", "Rec": "rec"}

_detecting = threading.Lock()  # what takes most of the memory is done by one thread at a time
_loading = threading.Lock()


def missing_packages() -> list[str]:
    """What of the packages is not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


@dataclass(frozen=True)
class Found:
    """A line of text; `points` are its corners from the beginning of its words on, clockwise, in the turned picture."""

    text: str
    points: Points


@dataclass(frozen=True)
class Reading:
    """What stands in a picture, once `turns` quarters of a turn to the left have brought its words upright."""

    found: list[Found]
    turns: int = 0


class Recognizer:
    """The models, loaded once for all threads."""

    @classmethod
    def shared(cls) -> "Recognizer":
        """The one of this process, which lasts as long as that."""
        with _loading:
            return _make_recognizer()

    def __init__(self) -> None:
        self._detector, self._reader = self._engine._load_det_model(), self._engine._load_rec_model()

    @cached_property
    def _engine(self) -> Any:
        import cv2
        from rapidocr import RapidOCR

        cv2.setNumThreads(1)  # pages are read beside each other
        threads = {f"EngineConfig.onnxruntime.{name}_op_num_threads": 1 for name in ("intra", "inter")}
        others = {"Global.log_level": "critical", "Det.mean": list(MEAN), "Det.std": list(DEVIATION)}
        as_given = {"Det.limit_type": "max", "Det.limit_side_len": sys.maxsize}  # else strips become huge
        return RapidOCR(params={**others, **as_given, "Rec.rec_batch_num": TOGETHER, **threads, **_model_files()})

    def read(self, picture: Pixels) -> Reading:
        """The lines of a picture, in no order."""
        points = self._detect(picture)
        turns = self._turns(picture, points)
        if turns:
            picture = np.ascontiguousarray(np.rot90(picture, turns))
            points = self._detect(picture)
        texts = self._recognize([_cut(picture, each) for each in points])
        found = [Found(text, at) for (text, score), at in zip(texts, points, strict=True) if score >= LEAST_SCORE]
        return Reading([each for each in found if _has_words(each.text)], turns)

    def _detect(self, picture: Pixels) -> list[Points]:
        """The corners of lines."""
        import cv2

        height, width = picture.shape[:2]
        size = _detected_size(width, height)
        is_smaller = size[0] < width or size[1] < height
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)
        with _detecting:
            boxes = self._detector(small).boxes
        if boxes is None:
            return []
        factors = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
        return [np.asarray(box, np.float32) * factors for box in boxes]

    def _turns(self, picture: Pixels, points: Sequence[Points]) -> int:
        """How many quarters of a turn to the left bring the words upright."""
        by_length = sorted(points, key=lambda each: -max(_size(each)))[:SAMPLES]
        if not by_length:
            return 0
        is_tall = sum(1 if _is_tall(each) else -1 for each in by_length) > 0
        crops = [_cut(picture, each) for each in by_length if _is_tall(each) == is_tall]
        as_is = self._score(crops)
        is_turned = as_is < SURE and self._score([np.ascontiguousarray(each[::-1, ::-1]) for each in crops]) > as_is
        return (3 if is_turned else 1) if is_tall else (2 if is_turned else 0)

    def _score(self, crops: Sequence[Pixels]) -> float:
        return float(np.mean([score for _, score in self._recognize(crops)]))

    def _recognize(self, crops: Sequence[Pixels]) -> list[tuple[str, float]]:
        """Words and how sure they are, for each line."""
        from rapidocr.ch_ppocr_rec import TextRecInput

        if not crops:
            return []
        done = self._reader(TextRecInput(img=list(crops)))
        return list(zip(done.txts, map(float, done.scores), strict=True))


@cache
def _make_recognizer() -> Recognizer:
    return Recognizer()


def _model_files() -> dict[str, str]:
    """The models in the wheel, as rapidocr's parameters."""
    import rapidocr

    folder = Path(rapidocr.__file__).parent / "models"
    return {f"{part}.model_path": str(next(folder.glob(f"*_{name}_*.onnx"))) for part, name in MODELS.items()}


def _detected_size(width: int, height: int) -> tuple[int, int]:
    """The size in which lines are looked for: of a page small, of a little picture large, of none much above a page."""
    scale = min(1.0, DETECTED_SIDE / max(width, height))
    if min(width, height) * scale < SHORT_SIDE:
        scale = min(SHORT_SIDE / min(width, height), math.sqrt(MOST_PIXELS / (width * height)))
    return max(LEAST_SIDE, round(width * scale)), max(LEAST_SIDE, round(height * scale))


def _has_words(text: str) -> bool:
    """Whether a line has a letter, a figure or a sign of money: others are strokes and dots."""
    return any(category(letter)[0] in "LN" or category(letter) == "Sc" for letter in text)


def _size(points: Points) -> tuple[float, float]:
    """Width and height of a line."""
    width = max(np.linalg.norm(points[0] - points[1]), np.linalg.norm(points[2] - points[3]))
    height = max(np.linalg.norm(points[0] - points[3]), np.linalg.norm(points[1] - points[2]))
    return float(width), float(height)


def _is_tall(points: Points) -> bool:
    width, height = _size(points)
    return height >= TALL * width


def _cut(picture: Pixels, points: Points) -> Pixels:
    """A line by itself, straight; one that stands upright is laid down to the left."""
    import cv2

    width, height = (max(1, round(side)) for side in _size(points))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(points, target)
    size, edge = (width, height), cv2.BORDER_REPLICATE
    crop = np.asarray(cv2.warpPerspective(picture, matrix, size, borderMode=edge, flags=cv2.INTER_CUBIC), np.uint8)
    return np.ascontiguousarray(np.rot90(crop)) if _is_tall(points) else crop
