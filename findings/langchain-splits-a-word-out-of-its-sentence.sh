#!/usr/bin/env bash
# langchain-text-splitters 1.1.3: HTML that is split by its headings says something else: a bold "not" leaves its sentence.
#
# Guess: a splitter for HTML cuts between elements; the words of a paragraph stay in their order, whatever is bold, a link or
#        a superscript among them, as bs4's own get_text() has them.
# Seen:  HTMLHeaderTextSplitter takes each element's own text first and its children's after it: "You may not enter." with a
#        bold "not" is "You may enter." and, on a line of its own, "not"; x² + 1 is "x + 1" and "2". Of a heading the inline
#        words are in the text, not in its metadata. HTMLSemanticPreservingSplitter (beta) puts them before: "not You may enter."
#        HTMLSectionSplitter keeps the order.
# So:    pages are made Markdown or text first, and split then; or by HTMLSectionSplitter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check langchain-text-splitters==1.1.3 langchain-core==1.7.5 \
  beautifulsoup4==4.15.0 lxml==6.1.3 2>/dev/null
cat >split.py <<'PY'
import warnings
from importlib.metadata import version

from bs4 import BeautifulSoup
from langchain_text_splitters import HTMLHeaderTextSplitter, HTMLSectionSplitter, HTMLSemanticPreservingSplitter

warnings.simplefilter("ignore")  # one of them is in beta
RULE = "<h1>Rules</h1><p>You may <b>not</b> enter.</p>"
FORMULA = "<h1>The <i>new</i> rule</h1><p>x<sup>2</sup> + 1</p>"
HEADERS = [("h1", "heading")]


def split(kind, html):
    pieces = kind(HEADERS).split_text(f"<html><body>{html}</body></html>")
    return [(" ".join(piece.page_content.split()), piece.metadata["heading"]) for piece in pieces]


print("langchain-text-splitters", version("langchain-text-splitters"))
print("get_text():", BeautifulSoup(RULE, "lxml").p.get_text())
seen = {}
for kind in (HTMLHeaderTextSplitter, HTMLSemanticPreservingSplitter, HTMLSectionSplitter):
    seen[kind.__name__] = [split(kind, RULE), split(kind, FORMULA)]
    print(kind.__name__, *seen[kind.__name__], sep="\n  ")
rule, formula = seen["HTMLHeaderTextSplitter"]
assert rule == [("Rules", "Rules"), ("You may enter. not", "Rules")]
assert formula == [("The rule", "The rule"), ("new x + 1 2", "The rule")]
assert seen["HTMLSemanticPreservingSplitter"][0] == [("not You may enter.", "Rules")]
assert seen["HTMLSectionSplitter"][0] == [("Rules You may not enter.", "Rules")]
PY
venv/bin/python split.py 2>/dev/null
