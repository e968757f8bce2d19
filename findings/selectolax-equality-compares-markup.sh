#!/usr/bin/env bash
# selectolax 1.0.2: `==` between two nodes compares the markup below them, not whether they are one node.
#
# Guess: two handles of one node are equal, two nodes are not, and asking costs nothing; so a walk through a tree may end
#        with `if node == root`.
# Seen:  `==` serializes both nodes with all that is below them and compares the texts. Two different nodes of the same
#        markup are equal, and a walk that asks at each node takes quadratic time.
# So:    who means the node compares `mem_id`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check selectolax==1.0.2 2>/dev/null
cat >compare.py <<'PY'
import time
from importlib.metadata import version

from selectolax.lexbor import LexborHTMLParser, LexborNode

print("selectolax", version("selectolax"))
first, second = LexborHTMLParser("<p>same</p><p>same</p>").css("p")
print("two paragraphs are equal:", first == second, "- and one node:", first.mem_id == second.mem_id)
assert first == second
assert first.mem_id != second.mem_id


def seconds(rows: int, same: object) -> float:
    root = LexborHTMLParser("<table>" + "<tr><td>cell</td></tr>" * rows + "</table>").root
    began = time.process_time()
    for node in root.traverse(include_text=True):
        same(node, root)
    return time.process_time() - began


def by_equality(node: LexborNode, root: LexborNode) -> bool:
    return node == root


def by_identity(node: LexborNode, root: LexborNode) -> bool:
    return node.mem_id == root.mem_id


growth = seconds(1600, by_equality) / seconds(400, by_equality)
print(f"four times the rows: {growth:.0f} times the time by ==, ", end="")
print(f"{seconds(40000, by_identity) / seconds(10000, by_identity):.0f} times by mem_id")
assert growth > 8
PY
venv/bin/python compare.py
