#!/usr/bin/env bash
# langchain-text-splitters 1.1.3: Markdown that is split by its headings has words joined, and code that does not compile.
#
# Guess: MarkdownHeaderTextSplitter, which knows fences (a "#" within one is no heading), leaves what stands between two
#        headings as it is, or changes white space where that means nothing.
# Seen:  each line is stripped, in fences too: Python loses its indentation, a list its levels. And characters that are not
#        str.isprintable() are taken out of it without a blank in their place, which the no-break space, the ideographic one
#        and the tab are: "10 km" becomes "10km", and two cells of a tab-separated line one word. No search finds it.
#        ExperimentalMarkdownSyntaxTextSplitter keeps all of it.
# So:    text is split by that, or by RecursiveCharacterTextSplitter with Markdown's separators.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check langchain-text-splitters==1.1.3 langchain-core==1.7.5 2>/dev/null
cat >split.py <<'PY'
from importlib.metadata import version

from langchain_text_splitters import ExperimentalMarkdownSyntaxTextSplitter, MarkdownHeaderTextSplitter

CODE = "# Code\n```py\nif ready:\n    go()\n```"
TEXTS = ["# Way\n10\u00a0km", "# Table\nAda\t36", "# List\n- a\n  - b", CODE]


def split(kind, text):
    return "".join(piece.page_content for piece in kind([("#", "heading")]).split_text(text)).strip()


print("langchain-text-splitters", version("langchain-text-splitters"))
seen = [(split(MarkdownHeaderTextSplitter, text), split(ExperimentalMarkdownSyntaxTextSplitter, text)) for text in TEXTS]
for text, (plain, experimental) in zip(TEXTS, seen, strict=True):
    print(f"{text!a}: {plain!a}, experimental: {experimental!a}")
assert [plain for plain, _ in seen] == ["10km", "Ada36", "- a\n- b", "```py\nif ready:\ngo()\n```"]
assert [kept for _, kept in seen] == [text.partition("\n")[2] for text in TEXTS]
code = seen[-1][0].removeprefix("```py").removesuffix("```")
try:
    compile(code, "code", "exec")
except SyntaxError as error:
    print(type(error).__name__, error.msg)
else:
    raise SystemExit("the code compiles")
PY
venv/bin/python split.py 2>/dev/null
