#!/usr/bin/env bash
# Streamlit 1.67.0: a component of its second kind that is told a list has pandas and pyarrow imported; a tuple does not.
#
# Guess: what a component is told goes out as JSON, so a page without tables never imports pandas, whatever the values.
# Seen:  where a value of the dict `data` is a list or a dict, Streamlit asks whether it is a data frame, and imports both
#        for that, in the first run that draws it; a tuple of the same values is asked nothing, and is the same JSON.
# So:    a first page is drawn sooner where a component is told tuples and texts, with pairs in place of a dict.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check streamlit==1.67.0 2>/dev/null
cat >app.py <<'PY'
import os

import streamlit as st

values = {"list": ["a", "b"], "dict": {"a": 1}, "tuple": ("a", "b"), "text": "a"}
component = st.components.v2.component("plain", html="<p></p>", js="export default function () {}")
component(data={"value": values[os.environ["KIND"]]})
PY
cat >look.py <<'PY'
import sys

from streamlit.testing.v1 import AppTest

app = AppTest.from_file("app.py", default_timeout=120).run()
assert not app.exception, app.exception
told = app.get("bidi_component")[0].proto.json
print(told, *[name for name in ("pandas", "pyarrow") if name in sys.modules])
PY
seen=$(for kind in list dict tuple text; do KIND=$kind venv/bin/python look.py 2>/dev/null; done)
expected='{"value": ["a", "b"]} pandas pyarrow
{"value": {"a": 1}} pandas pyarrow
{"value": ["a", "b"]}
{"value": "a"}'
echo "$seen"
[[ $seen == "$expected" ]] || { echo "this has changed"; exit 1; }
