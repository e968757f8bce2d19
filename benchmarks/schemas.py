"""How many replies of a form fit it: JSON Schemas of the JSON-Schema-Test-Suite and generated ones, of a local model.

The suite's files lie in the source archive of the package jsonschema: `pip download --no-deps --no-binary :all:
jsonschema==4.26.0`, folder json/tests. `--generated` makes schemas of what can be held to, by hypothesis. Each schema
is asked for in turn, eight chats together, until there are enough replies; those that reached the limit of tokens are
counted apart, for no text fits before it has ended.

Examples:
  python -m benchmarks.schemas json/tests/draft2020-12 json/tests/draft7
  python -m benchmarks.schemas json/tests/draft2020-12 --backend gpt2 --replies 200 --temperature 1
  python -m benchmarks.schemas --generated 300
"""

import argparse
import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]

import backends
from backends import UnsupportedOptionError
from settings import Settings
from training.command import parser, run

TOGETHER = 8  # chats
PROMPT = "Write a short piece of JSON."


def read_suite(folders: list[Path]) -> Iterator[Any]:
    """Each schema of the suite's files once, as JSON has it. Raises OSError, ValueError."""
    seen = set()
    for folder in folders:
        for path in sorted(folder.rglob("*.json")):
            for group in json.loads(path.read_text(encoding="utf-8")):
                key = json.dumps(group["schema"], sort_keys=True)
                if key not in seen and _can_be_judged(group["schema"]):
                    seen.add(key)
                    yield group["schema"]


def _can_be_judged(schema: Any) -> bool:
    """Whether jsonschema itself takes it: patterns of other languages are none of Python's."""
    try:
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError:
        return False
    return True


def strategy() -> Any:
    """Schemas of what can be held to, within one another, as hypothesis draws them."""
    from hypothesis import strategies as draw

    def keywords(kind: str, **others: Any) -> Any:
        return draw.fixed_dictionaries({"type": draw.just(kind), **others})

    def number(least: int, most: int) -> Any:
        return draw.integers(least, most)

    value = draw.none() | draw.booleans() | number(-9, 9) | draw.text('aeé"\\\\ ', max_size=4)
    flat = draw.one_of(
        keywords("string", minLength=number(0, 3), maxLength=number(3, 12)),
        keywords("string", pattern=draw.sampled_from(["^[a-z]{1,5}$", "^[0-9]+-x$", "^(ab|ä)$"])),
        keywords("string", format=draw.sampled_from(["date", "uuid", "ipv4", "date-time"])),
        keywords("integer", minimum=number(-50, 0), maximum=number(0, 50)),
        keywords("number", minimum=number(-50, 0), exclusiveMaximum=number(1, 50)),
        draw.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["integer", "null"]}]),
        draw.fixed_dictionaries({"enum": draw.lists(value, min_size=1, max_size=4)}),
        draw.fixed_dictionaries({"const": value}),
    )

    def deeper(inner: Any) -> Any:
        some = draw.dictionaries(draw.sampled_from(["a", "b", "c d", "ü"]), inner, min_size=1)
        closed = {"properties": some, "additionalProperties": draw.just(False)}
        objects = keywords("object", **closed).flatmap(
            lambda made: draw.sets(draw.sampled_from(sorted(made["properties"]))).map(
                lambda names: {**made, "required": sorted(names)}
            )
        )
        arrays = keywords("array", items=inner, minItems=number(0, 2), maxItems=number(2, 4))
        return objects | arrays | draw.fixed_dictionaries({"anyOf": draw.lists(inner, min_size=1, max_size=3)})

    return draw.recursive(flat, deeper, max_leaves=8)


def generate(count: int) -> list[Any]:
    """So many different schemas, the same ones each time."""
    import hypothesis

    found: dict[str, Any] = {}
    every = [*hypothesis.HealthCheck]
    limits: dict[str, Any] = {"max_examples": 3 * count, "derandomize": True, "database": None, "deadline": None}

    @hypothesis.settings(**limits, phases=[hypothesis.Phase.generate], suppress_health_check=every)
    @hypothesis.given(strategy())
    def collect(schema: Any) -> None:
        if len(found) < count:
            found.setdefault(json.dumps(schema, sort_keys=True), schema)

    collect()
    return list(found.values())


def options(schema: Any) -> dict[str, Any]:
    """The options of a call that ask for JSON of a schema."""
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}}


def exact(text: str) -> Any:
    """JSON with its fractions as they are written: 67.6659 is a multiple of 0.0001, and binary ones are not."""
    return json.loads(text, parse_float=Decimal)


def _pattern(_: Any, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """The error of a text without the pattern as ECMA 262 reads it: `\\w` and `\\d` are ASCII, and `\\s` is not."""
    flags = re.NOFLAG if re.search(r"\\[sS]", pattern) else re.ASCII
    if isinstance(instance, str) and not re.search(pattern, instance, flags):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def judge(text: str, schema: Any) -> None:
    """Raises ValueError, ValidationError where a text is no JSON of the schema."""
    kind = jsonschema.validators.extend(jsonschema.validators.validator_for(schema), {"pattern": _pattern})
    try:
        jsonschema.validate(exact(text), exact(json.dumps(schema)), cls=kind)
    except ArithmeticError:  # an exponent that no Decimal has
        jsonschema.validate(json.loads(text), schema, cls=kind)


async def ask(model: Any, schema: Any, limits: dict[str, Any]) -> str:
    """What became of one reply: `fits`, `broken`, `cut`, or `refused` before it began."""
    try:
        reply = await model.ainvoke(PROMPT, **options(schema), **limits)
    except UnsupportedOptionError:
        return "refused"
    if reply.response_metadata["finish_reason"] == "length":
        return "cut"
    try:
        judge(str(reply.text), schema)
    except (ValueError, jsonschema.ValidationError) as error:
        print(f"{json.dumps(schema)[:200]}\n  {reply.text}\n  {str(error).splitlines()[0]}", file=sys.stderr)
        return "broken"
    return "fits"


async def measure(backend: str, schemas: list[Any], replies: int, limits: dict[str, Any]) -> tuple[int, Counter[str]]:
    """How many schemas are held to, and what became of so many replies to these. Raises ModelError kinds.

    `limits` are the options of each reply: its temperature and its most tokens.
    """
    with await backends.lease(backend, Settings.read()) as lease:
        places = asyncio.Semaphore(TOGETHER)  # a chat that ended makes room for the next at once

        async def one(schema: Any) -> str:
            async with places:
                return await ask(lease.model, schema, limits)

        tried = await asyncio.gather(*map(one, schemas))
        held = [schema for schema, outcome in zip(schemas, tried, strict=True) if outcome != "refused"]
        left = islice(cycle(held), max(0, replies - len(held)))
        found = Counter(outcome for outcome in tried if outcome != "refused")
        found.update(await asyncio.gather(*map(one, left)))
    return len(held), found


def work(arguments: argparse.Namespace) -> None:
    """Measure and print. Raises OSError, ValueError."""
    schemas = [*read_suite(arguments.folders), *(generate(arguments.generated) if arguments.generated else ())]
    if not schemas:
        raise ValueError("no schema: name folders of the suite, or --generated")
    limits = {"temperature": arguments.temperature, "max_tokens": arguments.tokens}
    held, found = asyncio.run(measure(arguments.backend, schemas, arguments.replies, limits))
    print(f"{held} of {len(schemas)} schemas are held to, the others refused by name")
    print(f"{found['fits']} of {found['fits'] + found['broken']} replies that ended fit; {found['cut']} were cut")


def main(argv: list[str] | None = None) -> int:
    """The exit status."""
    given = parser("benchmarks.schemas", __doc__)
    given.add_argument("folders", type=Path, nargs="*", help="folders of the suite's files")
    given.add_argument("--generated", type=int, default=0, help="schemas that are made besides")
    given.add_argument("--backend", choices=backends.LOCAL, default="llamacpp")
    given.add_argument("--replies", type=int, default=1000)
    given.add_argument("--temperature", type=float, default=1.5)
    given.add_argument("--tokens", type=int, default=200, help="the most of a reply")
    return run("schemas", lambda: work(given.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
