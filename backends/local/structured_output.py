"""LangChain's structured output over a model that holds its replies to a form: messages in, an object of a schema out.

Knows LangChain's parsers and schemas; nothing of how a reply is held to its form.
"""

from operator import itemgetter
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass

from backends.local.response_format import closed

METHODS = ("json_schema", "json_mode", "function_calling")  # the last one asks for the same, by another way


def structured_output(
    model: BaseChatModel, schema: Any, include_raw: bool, method: str
) -> Runnable[LanguageModelInput, Any]:
    """`model`, held to `schema` (a class of pydantic, a TypedDict or a JSON Schema), with its reply parsed.

    With `include_raw` the reply stands beside it: raw, parsed, parsing_error. Raises ValueError for another method.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: it is one of {', '.join(METHODS)}")
    if method == "json_mode":
        form: dict[str, Any] = {"type": "json_object"}
    else:
        converted = closed(convert_to_json_schema(schema))  # a small model would add to it without end
        form = {"type": "json_schema", "json_schema": {"name": converted.get("title", "reply"), "schema": converted}}
    traced = {"kwargs": {"method": method}, "schema": schema}
    bound = model.bind(response_format=form, ls_structured_output_format=traced)
    is_pydantic = isinstance(schema, type) and is_basemodel_subclass(schema)
    parser: BaseOutputParser[Any] = PydanticOutputParser(pydantic_object=schema) if is_pydantic else JsonOutputParser()
    return _beside_raw(bound, parser) if include_raw else bound | parser


def _beside_raw(model: Runnable[LanguageModelInput, Any], parser: BaseOutputParser[Any]) -> Runnable[Any, Any]:
    """`{"raw": message, "parsed": object, "parsing_error": None}`; where it does not parse, None and the error."""
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")
