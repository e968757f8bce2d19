#!/usr/bin/env bash
# openpyxl 3.1.5: a workbook saved as "Strict Open XML Spreadsheet" opens without an error, and has no sheet.
#
# Guess: a file of ISO/IEC 29500 Strict, which Excel offers under Save As with the same ending .xlsx, is read, or refused.
# Seen:  load_workbook returns a workbook whose `worksheets` are []. Names of elements are compared with the Transitional
#        namespace alone; what stands in the other one is passed over.
# So:    an empty workbook is no proof that nothing stands in it. Look at the namespace of xl/workbook.xml first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openpyxl==3.1.5 2>/dev/null
cat >read.py <<'PY'
import sys
import warnings
from io import BytesIO
from zipfile import ZipFile

import openpyxl

OLD, STRICT = "http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/"
NAMES = {  # ISO/IEC 29500-1, annex A, and 29500-4, annex A
    f"{OLD}spreadsheetml/2006/main": f"{STRICT}spreadsheetml/main",
    f"{OLD}drawingml/2006/main": f"{STRICT}drawingml/main",
    f"{OLD}officeDocument/2006/relationships/extended-properties": f"{STRICT}officeDocument/relationships/extendedProperties",
    f"{OLD}officeDocument/2006/extended-properties": f"{STRICT}officeDocument/extendedProperties",
    f"{OLD}officeDocument/2006/docPropsVTypes": f"{STRICT}officeDocument/docPropsVTypes",
    f"{OLD}officeDocument/2006/relationships": f"{STRICT}officeDocument/relationships",
    "<workbook ": '<workbook conformance="strict" ',
}


def strict(data: bytes) -> bytes:
    file = BytesIO()
    with ZipFile(BytesIO(data)) as source, ZipFile(file, "w") as target:
        for name in source.namelist():
            text = source.read(name).decode()
            for old, new in NAMES.items():
                text = text.replace(old, new)
            target.writestr(name, text)
    return file.getvalue()


def sheets(data: bytes) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of missing styles; none is of missing sheets
        return openpyxl.load_workbook(BytesIO(data)).sheetnames


book = openpyxl.Workbook()
book.active.append(["place", "height"])
file = BytesIO()
book.save(file)
print("openpyxl", openpyxl.__version__)
print("Transitional:", transitional := sheets(file.getvalue()))
print("Strict:      ", found := sheets(strict(file.getvalue())))
sys.exit((transitional, found) != (["Sheet"], []))
PY
venv/bin/python read.py
