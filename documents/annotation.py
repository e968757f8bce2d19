"""What lies over a PDF's page and is no text of it: the fields of forms with their values, and notes. Knows PDFium."""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

HIDDEN = 2 | 32  # flags of an annotation: hidden, no view
PASSWORD = 1 << 13  # of a text field
PRESSED = 1 << 16  # of a button that holds nothing
REMARKS = {
    pdfium.FPDF_ANNOT_TEXT,
    pdfium.FPDF_ANNOT_FREETEXT,
    pdfium.FPDF_ANNOT_HIGHLIGHT,
    pdfium.FPDF_ANNOT_UNDERLINE,
    pdfium.FPDF_ANNOT_SQUIGGLY,
    pdfium.FPDF_ANNOT_STRIKEOUT,
    pdfium.FPDF_ANNOT_STAMP,
    pdfium.FPDF_ANNOT_CARET,
    pdfium.FPDF_ANNOT_SQUARE,
    pdfium.FPDF_ANNOT_CIRCLE,
    pdfium.FPDF_ANNOT_LINE,
    pdfium.FPDF_ANNOT_INK,
}
CHECKS = {pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON}
CHOICES = {pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX}
ON = {"on", "yes", "1", "true", "ja", "oui"}  # names of a checked state that say no more than that


def read_annotations(document: Any, page: Any) -> Iterator[str]:
    """A line for each field that has a value, and for each note."""
    seen: set[str] = set()
    for number in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, number)
        try:
            line = _line(document.formenv, annotation)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
        if line and line not in seen:  # several boxes may show one field
            seen.add(line)
            yield line


def _line(form: Any, annotation: Any) -> str | None:
    if pdfium.FPDFAnnot_GetFlags(annotation) & HIDDEN:
        return None
    kind = pdfium.FPDFAnnot_GetSubtype(annotation)
    if kind == pdfium.FPDF_ANNOT_WIDGET and form is not None:
        return _field(form, annotation)
    text = _entry(annotation, b"Contents") if kind in REMARKS else ""
    if not text or kind == pdfium.FPDF_ANNOT_FREETEXT:
        return text
    author = _entry(annotation, b"T")
    return f"[Comment by {author}: {text}]" if author else f"[Comment: {text}]"


def _field(form: Any, annotation: Any) -> str | None:
    """A field as `name: value`; None for one without a value."""
    value = _value(form, annotation)
    if not value:
        return None
    name = _string(lambda *to: pdfium.FPDFAnnot_GetFormFieldAlternateName(form, annotation, *to))
    name = name or _string(lambda *to: pdfium.FPDFAnnot_GetFormFieldName(form, annotation, *to))
    return f"{name}: {value}" if name else value


def _value(form: Any, annotation: Any) -> str:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in CHECKS:
        return _checked(form, annotation, kind)
    if kind in CHOICES and (options := ", ".join(_options(form, annotation))):
        return options
    is_secret = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & PASSWORD and kind not in CHOICES
    if is_secret or kind in {pdfium.FPDF_FORMFIELD_PUSHBUTTON, pdfium.FPDF_FORMFIELD_SIGNATURE}:
        return ""
    return _string(lambda *to: pdfium.FPDFAnnot_GetFormFieldValue(form, annotation, *to))


def _checked(form: Any, annotation: Any, kind: int) -> str:
    """What a checked box stands for; of one that is not, "no", and nothing of a button among others."""
    if not pdfium.FPDFAnnot_IsChecked(form, annotation):
        return "no" if kind == pdfium.FPDF_FORMFIELD_CHECKBOX else ""
    state = _string(lambda *to: pdfium.FPDFAnnot_GetFormFieldExportValue(form, annotation, *to))
    return "yes" if not state or state.lower() in ON else state


def _options(form: Any, annotation: Any) -> Iterator[str]:
    """The labels of the options that are chosen."""
    for number in range(pdfium.FPDFAnnot_GetOptionCount(form, annotation)):
        if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, number):
            yield _string(lambda *to, at=number: pdfium.FPDFAnnot_GetOptionLabel(form, annotation, at, *to))


def _entry(annotation: Any, key: bytes) -> str:
    return _string(lambda *to: pdfium.FPDFAnnot_GetStringValue(annotation, key, *to))


def _string(read: Callable[..., int]) -> str:
    """What a function of PDFium writes into a buffer: UTF-16 that ends with a zero."""
    size = read(None, 0)
    buffer = ctypes.create_string_buffer(size)
    read(ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    lines = buffer.raw.decode("utf-16-le", "replace").rstrip("\0").replace("\r\n", "\n").replace("\r", "\n")
    return lines.strip()
