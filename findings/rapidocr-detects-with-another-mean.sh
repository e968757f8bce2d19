#!/usr/bin/env bash
# rapidocr 3.10.0 (onnxruntime 1.31.1): its text detector is fed numbers on a scale that its model was not trained on.
#
# Guess: `RapidOCR()` with the models in its wheel is how they are meant to be used: what it does not find, they do not find.
# Seen:  pictures are scaled with a mean and a deviation of 0.5 (its config.yaml); PaddleOCR trained the detector (PP-OCRv6)
#        with ImageNet's, 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225. Of lone words on a white page, which there is nothing
#        around to make up for it, fewer are found. Two parameters mend it, and nothing warns.
# So:    a comparison of OCR programs by their defaults measured the wrapper, too; look at what a wrapper does before a model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rapidocr==3.10.0 onnxruntime==1.31.1
cat >"$folder/find.py" <<'PY'
from importlib.metadata import version

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidocr import RapidOCR

TRAINED = {"Det.mean": [0.485, 0.456, 0.406], "Det.std": [0.229, 0.224, 0.225]}
WORDS = ("a", "No", "7", "Total", "I", "12.50", "OK", "x")
SIZES = (24, 32, 48, 64)


def pages():
    for word in WORDS:
        for size in SIZES:
            image = Image.new("RGB", (1000, 700), "white")
            ImageDraw.Draw(image).text((420, 300), word, "black", ImageFont.load_default(size))
            yield np.asarray(image)[:, :, ::-1]


def found(parameters):
    engine = RapidOCR(params={"Global.log_level": "critical", **parameters})
    return sum(engine(page, use_cls=False, use_rec=False).boxes is not None for page in pages())


print(f"rapidocr {version('rapidocr')}")
print(f"of {len(WORDS) * len(SIZES)} lone words found: as it comes {found({})}, with the numbers of the training {found(TRAINED)}")
PY
"$folder/venv/bin/python" "$folder/find.py"
