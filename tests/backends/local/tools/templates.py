"""Chat templates in the shapes of those that know tools, one for each format of calls."""

_TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}"
_SAID = "{{ m.role }}:{{ m.content }}"
_END = "{% if add_generation_prompt %}assistant:{% endif %}"


def _talk(calls: str, result: str, tools: str = _TOOLS) -> str:
    return (
        f"{tools}{{% for m in messages %}}{{% if m.tool_calls %}}assistant:{{{{ m.content }}}}{calls}"
        f"{{% elif m.role == 'tool' %}}{result}{{% else %}}{_SAID}{{% endif %}}<|end|>{{% endfor %}}{_END}"
    )


HERMES = _talk(
    "{% for c in m.tool_calls %}<tool_call>\n{{ c.function | tojson }}\n</tool_call>{% endfor %}",
    "user:<tool_response>\n{{ m.content }}\n</tool_response>",
)
TEMPLATES = {
    "hermes": HERMES,
    "smollm2": _talk(
        "<tool_call>[{% for c in m.tool_calls %}{{ c.function | tojson }}"
        "{{ ', ' if not loop.last }}{% endfor %}]</tool_call>",
        "tool:{{ m.content }}",
    ),
    "llama-3": _talk(
        "{% if m.tool_calls | length != 1 %}{{ raise_exception('one call only') }}{% endif %}"
        "{{ '{\"name\": \"' + m.tool_calls[0].function.name + '\", ' }}{{ '\"parameters\": ' }}"
        "{{ m.tool_calls[0].function.arguments | tojson }}{{ '}' }}",
        "ipython:{{ m.content | tojson }}",
    ),
    "mistral": _talk(
        "[TOOL_CALLS][{% for c in m.tool_calls %}"
        "{% if c.id | length != 9 %}{{ raise_exception('ids have 9') }}{% endif %}"
        "{{ c.function | tojson }}{{ c.id }}{% endfor %}]",
        "[TOOL_RESULTS]{{ m.tool_call_id }}{{ m.content }}[/TOOL_RESULTS]",
    ),
    "mistral-args": _talk(
        "{% for c in m.tool_calls %}[TOOL_CALLS]{{ c.function.name }}[ARGS]"
        "{{ c.function.arguments | tojson }}{% endfor %}",
        "[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]",
    ),
    "mistral-call-id": _talk(
        "{% for c in m.tool_calls %}[TOOL_CALLS]{{ c.function.name }}[CALL_ID]{{ c.id }}[ARGS]"
        "{{ c.function.arguments | tojson }}{% endfor %}",
        "[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]",
    ),
    "deepseek-v3": _talk(
        "<｜tool▁calls▁begin｜>{% for c in m.tool_calls %}<｜tool▁call▁begin｜>function<｜tool▁sep｜>"
        "{{ c.function.name + '\n```json\n' + c.function.arguments + '\n```' }}<｜tool▁call▁end｜>{% endfor %}"
        "<｜tool▁calls▁end｜>",
        "<｜tool▁output▁begin｜>{{ m.content }}<｜tool▁output▁end｜>",
    ),
    "deepseek-v3.1": _talk(
        "<｜tool▁calls▁begin｜>{% for c in m.tool_calls %}<｜tool▁call▁begin｜>{{ c.function.name }}<｜tool▁sep｜>"
        "{{ c.function.arguments | tojson }}<｜tool▁call▁end｜>{% endfor %}<｜tool▁calls▁end｜>",
        "<｜tool▁output▁begin｜>{{ m.content }}<｜tool▁output▁end｜>",
        tools="",
    ),
    "gpt-oss": _talk(
        "<|start|>assistant to={{ 'functions.' + m.tool_calls[0].function.name }}<|channel|>commentary "
        "<|constrain|>json<|message|>"
        "{{ m.tool_calls[0].function.arguments | tojson }}<|call|>",
        "functions.{{ m.name }} to=assistant<|channel|>commentary<|message|>{{ m.content | tojson }}",
    ),
    "xml_tools": HERMES.replace("tools |", "xml_tools |").replace("if tools", "if xml_tools"),
}
