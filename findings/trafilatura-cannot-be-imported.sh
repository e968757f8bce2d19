#!/usr/bin/env bash
# trafilatura 2.3.1 with lxml 6.1.3: installed without a complaint, it cannot be imported.
#
# Guess: what pip resolves and installs can be imported.
# Seen:  `import trafilatura` raises ImportError: its own dependency justext still asks for an extra of lxml that newer
#        ones no longer have, so that lxml.html.clean is not there. pip says nothing about the missing extra unless it
#        is asked to be talkative.
# So:    lxml_html_clean has to be installed by its own name beside it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check trafilatura==2.3.1 lxml==6.1.3 justext==3.0.2 2>/dev/null
venv/bin/pip check >/dev/null && echo "pip check: all requirements are met"
if venv/bin/python -c "import trafilatura" 2>error.txt; then
  echo "trafilatura can be imported" && exit 1
fi
tail -1 error.txt
grep -q "lxml.html.clean" error.txt
venv/bin/pip install --quiet --disable-pip-version-check lxml_html_clean==0.4.5 2>/dev/null
venv/bin/python -c "import trafilatura; print('with lxml_html_clean it can')"
