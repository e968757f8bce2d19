#!/usr/bin/env bash
# llguidance 1.9.1 (with jsonschema 4.26.0): a reply that is held to a schema, and that the schema refuses.
#
# Guess: what the grammar of a JSON Schema lets through fits the schema (it may let through less: one order of the properties,
#        one spelling of a number); so it need not be validated.
# Seen:  where additional properties are allowed, which is so unless the schema forbids them, the name of a known property may
#        come once more with a letter written as an escape: "pric\u0065" is another name to the grammar, and "price" to each
#        parser, where the last one counts. So an integer is a text, a minimum is undercut, a property that may not be
#        (`false`) is there. And one name twice counts as two for minProperties. In values such escapes are not let through.
# So:    schemas get "additionalProperties": false where that is meant, or the reply is validated all the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check llguidance==1.9.1 jsonschema==4.26.0 2>/dev/null
cat >hold.py <<'PY'
import json
from importlib.metadata import version

from jsonschema import Draft202012Validator
from llguidance import LLMatcher, LLTokenizer

TOKENIZER = LLTokenizer("byte")
PRICE = {"type": "object", "properties": {"price": {"type": "integer", "minimum": 1}}, "required": ["price"]}
WITHOUT = {"type": "object", "properties": {"note": False}}
TWO = {"type": "object", "minProperties": 2}
TEXT = {"type": "string"}
CASES = [
    (PRICE, r'{"price":5,"note":"per kilo"}'),
    (PRICE, r'{"price":5,"price":-5}'),
    (PRICE, r'{"price":5,"pric\u0065":-5}'),
    (PRICE, r'{"price":5,"pric\u0065":"none"}'),
    ({**PRICE, "additionalProperties": False}, r'{"price":5,"pric\u0065":-5}'),
    (WITHOUT, r'{"note":"x"}'),
    (WITHOUT, r'{"not\u0065":"x"}'),
    (TWO, r'{"a":1,"a":2}'),
    (TEXT, r'"pric\u0065"'),
]


def passes(schema, reply):
    matcher = LLMatcher(TOKENIZER, LLMatcher.grammar_from_json_schema(json.dumps(schema)))
    assert not matcher.get_error()
    tokens = TOKENIZER.tokenize_str(reply)
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


print("llguidance", version("llguidance"), "jsonschema", version("jsonschema"))
seen = []
for schema, reply in CASES:
    seen.append((passes(schema, reply), Draft202012Validator(schema).is_valid(json.loads(reply))))
    print(f"let through: {seen[-1][0]!s:5}  valid: {seen[-1][1]!s:5}  {reply:34} {json.dumps(schema)[18:]}")
around = (True, False)
assert seen == [(True, True), (False, False), around, around, (False, False), (False, False), around, around, (False, True)]
PY
venv/bin/python hold.py
