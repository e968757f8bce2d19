"""Chat templates in the shapes in which families of models that think write what was thought before; written for tests.

Each keeps under which name its family looks for it, and where it writes it: behind the last question, beside calls
alone, or always. `<think>` and the like are each family's own marks.
"""

FIND_LAST = (
    "{%- set ns = namespace(at=-1) -%}"
    "{%- for m in messages -%}{%- if m.role == 'user' -%}{%- set ns.at = loop.index0 -%}{%- endif -%}{%- endfor -%}"
)
CALLS = (
    "{%- for call in m.tool_calls or [] -%}"
    '<tool_call>\n{"name": "{{ call.function.name }}", '
    '"arguments": {{ call.function.arguments | tojson }}}\n</tool_call>'
    "{%- endfor -%}"
)
CHATML_END = "{%- endif -%}<|im_end|>\n{%- endfor -%}{%- if add_generation_prompt -%}<|im_start|>assistant\n"
QWEN = (
    f"{FIND_LAST}"
    "{%- for m in messages -%}<|im_start|>{{ m.role }}\n"
    "{%- if m.role == 'assistant' -%}"
    "{%- set content, thought = m.content, '' -%}"
    "{%- if m.reasoning_content is string -%}{%- set thought = m.reasoning_content -%}"
    "{%- elif '</think>' in content -%}{%- set thought = content.split('</think>')[0].split('<think>')[-1] -%}"
    "{%- set content = content.split('</think>')[-1].lstrip('\\n') -%}{%- endif -%}"
    "{%- if loop.index0 > ns.at -%}{{ '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' }}{%- endif -%}"
    f"{{{{ content }}}}{CALLS}"
    "{%- else -%}{{ m.content }}"
    f"{CHATML_END}{{%- endif -%}}"
)
DEEPSEEK = (
    f"{FIND_LAST}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'system' -%}{{ m.content }}"
    "{%- elif m.role == 'user' -%}<|User|>{{ m.content }}<|Assistant|>"
    "{{- '<think>' if loop.index0 == ns.at else '</think>' -}}"
    "{%- elif m.role == 'tool' -%}<result>{{ m.content }}</result><think>"
    "{%- else -%}{%- if loop.index0 > ns.at -%}{{ m.get('reasoning_content', '') }}</think>{%- endif -%}"
    f"{{{{ m.content }}}}{CALLS}<|end|>"
    "{%- endif -%}{%- endfor -%}"
)
GLM = (
    f"{FIND_LAST}"
    "[gMASK]<sop>{%- for m in messages -%}<|{{ m.role }}|>\n"
    "{%- if m.role == 'assistant' -%}"
    "{%- if loop.index0 > ns.at and m.reasoning_content -%}{{ '<think>' + m.reasoning_content.strip() + '</think>' }}"
    "{%- else -%}<think></think>{%- endif -%}"
    f"{{{{ m.content }}}}{CALLS}"
    "{%- else -%}{{ m.content }}{%- endif -%}{%- endfor -%}<|assistant|>"
)
MINIMAX = (
    f"{FIND_LAST}"
    "{%- for m in messages -%}{{ ']~b]' ~ m.role ~ '\\n' }}"
    "{%- if m.role == 'assistant' and m.reasoning_content and loop.index0 > ns.at -%}"
    "{{ '<think>\\n' ~ m.reasoning_content ~ '\\n</think>\\n\\n' }}{%- endif -%}"
    f"{{{{ m.content }}}}{CALLS}{{{{ '[e~[\\n' }}}}{{%- endfor -%}}"
    "{{ ']~b]ai\\n<think>\\n' }}"
)
KIMI_3 = (
    "{%- for m in messages -%}<|open|>{{ m.role }}<|sep|>"
    "{%- if m.role == 'assistant' -%}"
    "<|open|>think<|sep|>{{ m.get('reasoning') or '' }}<|close|>think<|sep|>{%- endif -%}"
    f"{{{{ m.content }}}}{CALLS}<|end_of_msg|>{{%- endfor -%}}<|open|>assistant<|sep|><|open|>think<|sep|>"
)
FIND_ANSWER = (
    "{%- set ns = namespace(at=-1) -%}{%- for m in messages -%}"
    "{%- if m.role == 'assistant' and not m.tool_calls -%}{%- set ns.at = loop.index0 -%}{%- endif -%}{%- endfor -%}"
)
KIMI = (
    f"{FIND_ANSWER}"
    "{%- for m in messages -%}<|im_{{ m.role }}|>"
    "{%- if m.role == 'assistant' -%}"
    "<think>{{ m.get('reasoning_content', '') if loop.index0 > ns.at else '' }}</think>"
    f"{{%- endif -%}}{{{{ m.content }}}}{CALLS}<|im_end|>{{%- endfor -%}}<|im_assistant|>"
)
GPT_OSS = (
    f"{FIND_ANSWER}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' and m.tool_calls -%}"
    "{%- if m.content and m.thinking -%}{{ raise_exception('Cannot pass both content and thinking') }}{%- endif -%}"
    "{%- set said = m.content or m.thinking -%}"
    "{%- if said and loop.index0 > ns.at -%}"
    "<|start|>assistant<|channel|>analysis<|message|>{{ said }}<|end|>{%- endif -%}"
    "{%- for call in m.tool_calls -%}<|start|>assistant to=functions.{{ call.function.name }}"
    "<|channel|>commentary json<|message|>{{ call.function.arguments | tojson }}<|call|>{%- endfor -%}"
    "{%- elif m.role == 'assistant' -%}"
    "{%- if loop.last and not add_generation_prompt and m.thinking -%}"
    "<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{%- endif -%}"
    "<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>"
    "{%- else -%}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{%- endif -%}"
    "{%- endfor -%}{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}"
)
GEMMA = (
    f"{FIND_LAST}"
    "{%- for m in messages -%}<|turn>{{ m.role }}\n"
    "{%- if m.tool_calls and m.reasoning_content and loop.index0 > ns.at -%}"
    "{{ '<|channel>thought\\n' ~ m.reasoning_content ~ '<channel|>' }}{%- endif -%}"
    f"{CALLS}{{{{ m.content }}}}<turn|>\n{{%- endfor -%}}<|turn>model\n"
)
LFM = (
    f"{FIND_LAST}"
    "{%- for m in messages -%}<|im_start|>{{ m.role }}\n"
    "{%- if m.thinking is defined and loop.index0 > ns.at -%}{{ '<think>' + m.thinking + '</think>' }}{%- endif -%}"
    f"{{{{ m.content }}}}{CALLS}<|im_end|>\n{{%- endfor -%}}<|im_start|>assistant\n"
)
SEED = (
    "{%- for m in messages -%}<seed:bos>{{ m.role }}\n"
    "{%- if m.reasoning_content is string and m.reasoning_content | trim -%}"
    "<seed:think>{{ m.reasoning_content | trim }}</seed:think>\n{%- endif -%}"
    f"{{{{ m.content }}}}{CALLS}<seed:eos>{{%- endfor -%}}<seed:bos>assistant\n"
)
MINISTRAL = (
    "{%- for m in messages -%}{%- if m.role == 'assistant' -%}"
    "{%- if m.content is string -%}{{ m.content }}{%- else -%}{%- for block in m.content -%}"
    "{%- if block.type == 'thinking' -%}{{ '[THINK]' + block.thinking + '[/THINK]' }}"
    "{%- else -%}{{ block.text }}{%- endif -%}{%- endfor -%}{%- endif -%}"
    f"{CALLS}</s>"
    "{%- else -%}[INST]{{ m.content }}[/INST]{%- endif -%}{%- endfor -%}"
)
PLAIN = "{%- for m in messages -%}<|{{ m.role }}|>{{ m.content }}<|end|>{%- endfor -%}<|assistant|>"

# Each with the field that it looks for, and whether it writes what was thought before an answer that is over, before a
# call behind the last question, and before a call in front of it.
FAMILIES = {
    "Qwen3": (QWEN, "reasoning_content", (False, True, False)),
    "DeepSeek-V3.2": (DEEPSEEK, "reasoning_content", (False, True, False)),
    "GLM-4.6": (GLM, "reasoning_content", (False, True, False)),
    "MiniMax-M2": (MINIMAX, "reasoning_content", (False, True, False)),
    "Kimi K2 Thinking": (KIMI, "reasoning_content", (False, True, False)),
    "Kimi K3": (KIMI_3, "reasoning", (True, True, True)),
    "gpt-oss": (GPT_OSS, "thinking", (False, True, False)),
    "Gemma 4": (GEMMA, "reasoning_content", (False, True, False)),
    "LFM2.5": (LFM, "thinking", (False, True, False)),
    "Seed-OSS": (SEED, "reasoning_content", (True, True, True)),
    "Ministral Reasoning": (MINISTRAL, "content", (True, True, True)),
    "one that does not think": (PLAIN, None, (False, False, False)),
}
