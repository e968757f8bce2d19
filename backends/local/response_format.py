"""What a reply has to look like: JSON, JSON of a schema, one of some strings, a text of a pattern or of a grammar.

Knows the options by which clients ask for it (OpenAI's `response_format`, vLLM's `structured_outputs`) and JSON Schema;
nothing of tokens.
"""

import copy
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from backends.local.sampling import UnsupportedOptionError

Kind = Literal["json_schema", "regex", "choice", "grammar", "lark"]
OPTIONS = ("response_format", "structured_outputs")
ANY_OBJECT = '{"type": "object"}'
MOST_PLACES = 5  # of a keyword, that are told
LONGEST = 200_000  # characters of a schema, pattern or grammar
# Keywords of JSON Schema whose values are schemas under names, lists of schemas, and schemas.
NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
LISTED = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
JOINED = {"allOf", "anyOf", "oneOf", "$ref"}  # which say more of the object that they stand in
NESTED = ("additionalProperties", "items", "not", "if", "then", "else", "contains", "propertyNames", "additionalItems")


class ResponseFormat(NamedTuple):
    """The form of a reply: `text` is a JSON Schema, a pattern, a list of strings as JSON, or a grammar (Lark or GBNF).

    Of the kind `lark` it is one of ours, with token numbers in it.

    `option` is the one that asked for it, for people.
    """

    kind: Kind
    text: str
    option: str


def take(options: dict[str, Any]) -> ResponseFormat | None:
    """The form that a call's options ask for, taken out of them; None where any text will do.

    Raises UnsupportedOptionError for what is no form, and for two at once.
    """
    given = {name: value for name in OPTIONS if (value := options.pop(name, None)) is not None}
    forms = [form for name, value in given.items() if (form := READERS[name](value)) is not None]
    if len(forms) > 1:
        raise UnsupportedOptionError(OPTIONS[1], f"{' and '.join(given)} ask for two forms of one reply: send one.")
    return forms[0] if forms else None


def _read_response_format(value: Any) -> ResponseFormat | None:
    """OpenAI's: `{"type": "text" | "json_object" | "json_schema", "json_schema": {"schema": {…}}}`."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind == "text":
        return None
    if kind == "json_object":  # llama-server and others take a schema beside it
        schema = value.get("schema")
        return _checked("json_schema", ANY_OBJECT if schema is None else schema, "response_format")
    if kind == "json_schema":
        inner = value.get("json_schema", value)
        if not isinstance(inner, Mapping) or inner.get("schema") is None:
            raise UnsupportedOptionError("response_format", "response_format: json_schema.schema is missing.")
        return _checked("json_schema", inner["schema"], "response_format")
    raise UnsupportedOptionError(
        "response_format", f"response_format: its type is text, json_object or json_schema, not {_shown(kind)}."
    )


def _read_structured_outputs(value: Any) -> ResponseFormat | None:
    """vLLM's: one of `json`, `json_object`, `regex`, `choice` and `grammar`."""
    names: dict[str, Kind] = {"json": "json_schema", "regex": "regex", "choice": "choice", "grammar": "grammar"}
    asked = {name: part for name, part in value.items() if part} if isinstance(value, Mapping) else {}
    if asked.keys() == {"json_object"}:
        return _checked("json_schema", ANY_OBJECT, "structured_outputs")
    if len(asked) != 1 or not asked.keys() <= names.keys():
        raise UnsupportedOptionError(
            "structured_outputs",
            f"structured_outputs: one of json, json_object, regex, choice and grammar is wanted, not {_shown(value)}.",
        )
    ((name, part),) = asked.items()
    return _checked(names[name], part, f"structured_outputs.{name}")


READERS = {"response_format": _read_response_format, "structured_outputs": _read_structured_outputs}


def _checked(kind: Kind, value: Any, option: str) -> ResponseFormat:
    """The form, its value as text. Raises UnsupportedOptionError for a value of another kind, or a huge one."""
    if kind == "json_schema" and isinstance(value, str):
        value = _parsed(value, option)
    kinds = {"json_schema": (dict, bool), "choice": (list,)}
    wanted = kinds.get(kind, (str,))
    if not isinstance(value, wanted) or (isinstance(value, list) and not all(isinstance(each, str) for each in value)):
        raise UnsupportedOptionError(option.split(".")[0], f"{option}: {_shown(value)} is no {kind}.")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > LONGEST:
        raise UnsupportedOptionError(
            option.split(".")[0], f"{option}: {len(text):,} characters, at most {LONGEST:,} are taken."
        )
    return ResponseFormat(kind, text, option)


def _parsed(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UnsupportedOptionError(option.split(".")[0], f"{option}: the schema is no JSON ({error}).") from error


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def schemas(schema: Any, place: str = "#") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema in a schema with its place as a JSON pointer, the outermost first."""
    if not isinstance(schema, Mapping):
        return
    yield place, schema
    for keyword in NAMED:
        if isinstance(named := schema.get(keyword), Mapping):
            for name, inner in named.items():
                yield from schemas(inner, f"{place}/{keyword}/{name}")
    for keyword in LISTED:
        if isinstance(listed := schema.get(keyword), list):
            for number, inner in enumerate(listed):
                yield from schemas(inner, f"{place}/{keyword}/{number}")
    for keyword in NESTED:
        yield from schemas(schema.get(keyword), f"{place}/{keyword}")


def locate(schema: Any, keyword: str) -> str:
    """The places of a keyword, at most MOST_PLACES of them; of the whole schema where it has none."""
    return join_places([f"{place}/{keyword}" for place, inner in schemas(schema) if keyword in inner]) or "#"


def join_places(places: Sequence[str]) -> str:
    """The first MOST_PLACES of some places, for people."""
    return ", ".join([*places[:MOST_PLACES], *(["…"] if len(places) > MOST_PLACES else [])])


def closed(schema: Any) -> Any:
    """The schema, its objects without other properties than those they name, where it does not say itself.

    Objects that several schemas describe together stay as they are: each would forbid what the others name.
    """
    closed_schema = copy.deepcopy(schema)
    for place, inner in schemas(closed_schema):
        if isinstance(inner, dict) and "properties" in inner and "/allOf/" not in place and not inner.keys() & JOINED:
            inner.setdefault("additionalProperties", False)
    return closed_schema


def without_keywords(schema: Any, keywords: Collection[str]) -> Any:
    """The schema without some keywords, wherever they stand as such. What fits `oneOf` fits `anyOf`, which stays."""
    left = copy.deepcopy(schema)
    for _, inner in schemas(left):
        if isinstance(inner, dict):
            if "oneOf" in keywords and "oneOf" in inner and "anyOf" not in inner:
                inner["anyOf"] = inner["oneOf"]
            for keyword in keywords:
                inner.pop(keyword, None)
    return left


def with_disjoint_choices(schema: Any) -> Any:
    """The schema, with `anyOf` for every `oneOf` of which two branches can never fit at once; the others stay.

    Then both say the same. Of objects that is when all have to have a property whose constants differ.
    """
    if isinstance(schema, list):
        return [with_disjoint_choices(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        "anyOf" if name == "oneOf" and "anyOf" not in schema and _is_disjoint(value, schema) else name: (
            value if name in ("const", "enum", "default", "examples") else with_disjoint_choices(value)
        )
        for name, value in schema.items()
    }


def _is_disjoint(branches: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(branches, list) or not all(isinstance(branch, dict) for branch in branches):
        return False
    kinds = [branch.get("type") for branch in branches]
    if all(isinstance(kind, str) for kind in kinds) and len(set(kinds)) == len(kinds):
        return not {"integer", "number"} <= set(kinds)
    constants = [_constants(branch) for branch in branches]
    shared = set.intersection(*(set(each) for each in constants)) if constants else set()
    return any(_all_differ([each[name] for each in constants]) for name in shared)


def _constants(branch: Mapping[str, Any]) -> dict[str, list[str]]:
    """Of the properties that an object has to have those with fixed values, as JSON."""
    properties, required = branch.get("properties"), branch.get("required")
    if branch.get("type") != "object" or not isinstance(properties, Mapping) or not isinstance(required, list):
        return {}
    found = {}
    for name in required:
        inner = properties.get(name)
        if isinstance(inner, Mapping) and ("const" in inner or isinstance(inner.get("enum"), list)):
            values = [inner["const"]] if "const" in inner else inner["enum"]
            found[name] = [json.dumps(value, sort_keys=True) for value in values]
    return found


def _all_differ(values: list[list[str]]) -> bool:
    flat = [value for each in values for value in set(each)]
    return len(flat) == len(set(flat))
