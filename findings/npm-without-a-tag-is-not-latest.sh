#!/usr/bin/env bash
# npm 11.19.1: `npm install PACKAGE` is not `npm install PACKAGE@latest`, and `npm outdated` calls another version latest.
#
# Guess: without a version npm installs what the tag `latest` names, and warns (EBADENGINE) where this Node is too old for it;
#        the column Latest of `npm outdated` is that tag.
# Seen:  without a version it installs, without a word, the newest release whose `engines` this Node meets: an older major.
#        With @latest it installs the tagged one, with the warning. Then `npm outdated` names the older one as Latest.
# So:    on Node 20 the newest `openai` and `ai` (engines >=22) are not what `npm install openai ai` gives; a client that was
#        "just installed, so the newest" may be a major behind. Ask `npm view PACKAGE dist-tags`, or install PACKAGE@latest.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
export npm_config_cache="$folder/cache" npm_config_update_notifier=false
npm install --silent --no-audit --no-fund --prefix tool npm@11.19.1
npm() { node "$folder/tool/node_modules/npm/bin/npm-cli.js" "$@"; }
# A registry of one package: 1.0.0 runs on any Node, 2.0.0 is tagged latest and wants one that does not exist yet.
for version in 1.0.0:0 2.0.0:999; do
  mkdir -p "pack/${version%:*}/package"
  echo "{\"name\": \"thing\", \"version\": \"${version%:*}\", \"engines\": {\"node\": \">=${version#*:}\"}}" \
    >"pack/${version%:*}/package/package.json"
  tar -czf "pack/${version%:*}.tgz" -C "pack/${version%:*}" package
done
cat >registry.py <<'PY'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Registry(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.endswith(".tgz"):
            return self.answer(Path("pack", self.path.rsplit("/")[-1]).read_bytes())
        address = f"http://127.0.0.1:{self.server.server_port}"
        versions = {
            version: {
                "name": "thing",
                "version": version,
                "engines": {"node": engine},
                "dist": {"tarball": f"{address}/{version}.tgz"},
            }
            for version, engine in {"1.0.0": ">=0", "2.0.0": ">=999"}.items()
        }
        self.answer(json.dumps({"name": "thing", "dist-tags": {"latest": "2.0.0"}, "versions": versions}).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Registry)
Path("port").write_text(str(server.server_port))
server.serve_forever()
PY
python3 registry.py &
until [[ -s port ]]; do kill -0 $!; sleep 0.1; done
npm_config_registry="http://127.0.0.1:$(cat port)"
export npm_config_registry
installed() { node -p 'require("./node_modules/thing/package.json").version'; }
try() { # try SPEC: what is installed in an empty project, and how often npm warns
  rm -rf project; mkdir project; cd project
  echo '{"private": true}' >package.json
  npm install --no-audit --no-fund "$1" >../out 2>&1
  echo "$(installed), $(grep -c 'EBADENGINE Unsupported' ../out || true) warnings"
  cd ..
}
tagged=$(npm view thing dist-tags.latest)
plain=$(try thing) latest=$(try thing@latest)
outdated=$(cd project; npm outdated --json | tr -d ' \n' | grep -o '"latest":"[^"]*"' || true)
echo "npm $(npm --version), the tag latest names $tagged"
echo "npm install thing:         $plain"
echo "npm install thing@latest:  $latest"
echo "then npm outdated:         $outdated"
[[ $tagged == 2.0.0 ]]
[[ $plain == "1.0.0, 0 warnings" ]]
[[ $latest == "2.0.0, 1 warnings" ]]
[[ $outdated == '"latest":"1.0.0"' ]]
