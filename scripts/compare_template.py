#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write tests/golden/chat.json: what the transformers library makes of chat templates.

    compare_template.py [--data DIR] [--fuzz N --program 'PROGRAM'] OUTPUT.json

Rendered are the conversations below through the templates whose licence allows it (Qwen2.5, Qwen3,
both Apache-2.0, and OLMo-2's as its model card documents it), digests of what the Llama 3 templates
of DIR give, and short templates that exercise one construct each. Where the library fails, so must
we ("error"). The result of `pip install transformers==5.23.0 jinja2==3.1.6` is committed.
"""
import argparse
import datetime
import hashlib
import json
import os
import sys

from transformers.utils import chat_template_utils

NOW = datetime.datetime(2025, 1, 31)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = Clock

OLMO2 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ '<|system|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'user' %}"
    "{{ '<|user|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}"
    "{% if not loop.last %}{{ '<|assistant|>\n'  + message['content'] + eos_token + '\n' }}"
    "{% else %}{{ '<|assistant|>\n'  + message['content'] + eos_token }}{% endif %}{% endif %}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}")

TOOL = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather \u2014 <now> & \"here\"",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"},
                                                    "days": {"type": "integer", "minimum": 1.5}},
                   "required": ["city"], "nothing": None, "strict": True, "empty": {}, "list": []}}}
CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"type": "function", "function": {"name": "get_weather",
                                      "arguments": {"city": "Z\u00fcrich", "days": 3}}}]}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


CONVERSATIONS = [
    {"messages": [user("What is 1+1?")]},
    {"messages": [user("What is 1+1?")], "prompt": False},
    {"messages": [system("Be brief."), user("Hi"), assistant("Hello."), user("Why?")]},
    {"messages": [system("Be brief."), user("Hi"), assistant("Hello.")], "prompt": False},
    {"messages": [system(""), user(""), assistant(""), user("")]},
    {"messages": [system("  s  "), user("  leading\n\n"), assistant("\ttrailing \n"), user("\n")]},
    {"messages": [user("\u4f60\u597d \U0001f600 e\u0301 \u200b \u00a0x\u00a0 \u2028 '\"\\ <b>&</b>")]},
    {"messages": [user("a <|im_end|> b {{ 'x' }} {% if %}")]},
    {"messages": [user("u"), system("late"), user("v")]},
    {"messages": [user("2+2"), assistant("<think>\nfour\n</think>\n\n4"), user("3+3")]},
    {"messages": [user("2+2"), assistant("<think>\nfour\n</think>\n\n4")], "prompt": False},
    {"messages": [user("2+2"), assistant("4", reasoning_content="four")], "prompt": False},
    {"messages": [user("2+2")], "kwargs": {"enable_thinking": False}},
    {"messages": [user("2+2")], "kwargs": {"enable_thinking": True}},
    {"messages": [user("weather?")], "tools": [TOOL]},
    {"messages": [system("S"), user("weather?")], "tools": [TOOL, TOOL]},
    {"messages": [user("weather?"), CALL, {"role": "tool", "content": "{\"t\": 20}"}],
     "tools": [TOOL]},
    {"messages": [user("weather?"), CALL, {"role": "tool", "content": "1"},
                  {"role": "tool", "content": "2"}, assistant("Warm."), user("thanks")]},
    {"messages": [user("weather?"), {**CALL, "content": None}, {"role": "tool", "content": "1"}]},
    {"messages": [user("2+2"), assistant("4", thinking="four", reasoning=None)], "prompt": False},
    {"messages": [user("weather?")], "tools": [TOOL], "kwargs": {"tools_in_user_message": False}},
    {"messages": [user("u")], "kwargs": {"date_string": "1 Jan 2000"}},
    {"messages": [user("u")] + [m for i in range(6) for m in (assistant(f"a{i}"), user(f"u{i}"))]},
]

SPECIALS = {"qwen2.5": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
            "qwen3": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
            "olmo2": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
            "llama3": {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}}

DATA = {"a": "alpha", "n": 3, "f": 2.5, "none": None, "yes": True, "no": False, "empty": "",
        "l": [3, 1, 2], "words": ["b", "A", "c", "B"], "d": {"k": "v", "items": 1, "z": [1, "x"]},
        "rows": [{"role": "user", "n": 2, "o": {"p": 1}}, {"role": "system", "n": 1, "o": {"p": 5}},
                 {"role": "user", "n": 3, "o": {}}],
        "text": "  The quick, brown fox: jumps!\n over  ", "uni": "\u00e9\u00df\u0130\U0001f600\ufb01 \u03a3\u03a3",
        "json": {"b": [1, 2.0, None, True, "\u00e9\u2028\"\\\n\t\u0007\u007f"], "a": {}, "c": []},
        "html": "<a & 'b' \"c\">"}

SNIPPETS = [
    # white space
    "a\n  {% if yes %}\n  b\n  {% endif %}\nc\n", "a \n {%- if yes -%} \n b {{- a -}} c\n\n",
    "{{ a }}\n{{ n }}", "a {# b #}\nc", "  {# b #}\n  c", "x {%+ if yes +%}\n y {% endif %}\nz",
    "  {%+ if yes %}  y  {%- endif %}  \n", "\n\n{% if yes %}\n\n{% endif %}\n\n",
    "a\r\nb\rc{% if yes %}\r\nd{% endif %}\r\n", "{{- a }}  {{ a -}}  x", "{#- x -#}  y  {#+ z +#} w",
    "{% raw %}{{ a }} {% if %}{% endraw %}|", "  {%- raw -%}  {{ a }}  {%- endraw -%}  |",
    "a{% raw %}\n  {{ x }}\n  {% endraw %}\n b", "  {{ a }}  \n\t{% set x = 1 %}\n|", "{%if yes%}t{%endif%}",
    "x\u00a0\u2003{%- if yes %}y{% endif %}", "{{ a }}{% if yes %} {% endif %}\n  {% if no %}{% endif %}z",
    # literals
    "{{ 'a' 'b' \"c\" }}", "{{ 'q\\'q\\\\ \\x41\\u00e9\\n\\t\\d' }}", "{{ 1_000 }} {{ 1.5e3 }} {{ 2e-7 }} {{ .5 }}",
    "{{ [1, 'a', none, true, [2.0], (3,), (), {'k': 'v\\'\"'}] }}", "{{ (1, 2) }}{{ 1, 2 }}{{ () }}",
    "{{ {'a': 1, 'b': [1], 2: none}['b'] }}", "{{ {'a': 1,} }}{{ [1,2,] }}", "{{ none }}{{ True }}{{ False }}",
    "{{ 'it\\'s' ~ [\"it's\", 'a\"b', '\\n\\x00\\u200b\\U0001f600'] }}", "{{ 1e16 }} {{ 123456789.125 }} {{ 1e-5 }} {{ 0.1 + 0.2 }}",
    "{{ missing }}|{{ d.nothing }}|{{ l[9] }}|{{ 'abc'[7] }}|{{ none.x }}|{{ n.x }}",
    # operators
    "{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 2 ** -1 }}",
    "{{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 / 3 }} {{ true + 1 }}",
    "{{ 'a' + 'b' * 3 }} {{ [1] + [2] * 2 }} {{ (1,) + (2,) }}", "{{ 1 ~ 'a' ~ none ~ 2.0 ~ [1] ~ missing }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 == 1.0 }} {{ true == 1 }}",
    "{{ 1 == '1' }} {{ none == none }} {{ missing == missing }} {{ [1, {'a': 2}] == [1, {'a': 2}] }} {{ (1,) == [1] }}",
    "{{ 'b' in words }} {{ 'x' not in words }} {{ 'ph' in a }} {{ 'k' in d }} {{ 1 in d }} {{ 'a' in missing }}",
    "{{ not yes }} {{ not no and yes }} {{ no or a }} {{ a and 0 }} {{ '' or none or 'z' }} {{ not a in words }}",
    "{{ 'y' if yes else 'n' }} {{ 'y' if no else 'n' }} [{{ 'y' if no }}] {{ 1 if no else 2 if no else 3 }}",
    "{{ -n }} {{ +n }} {{ - n + 1 }} {{ -n|abs }} {{ 1 - -1 }}", "{{ n is number and not a is number }}",
    "{{ 'a' ~ 1 + 2 }} {{ 1 + 2 ~ 'a' }} {{ 2 * 3 ~ 4 }}", "{{ (yes and no) or (n > 2) }}", "{{ 3 - 2 - 1 }} {{ 8 / 4 / 2 }}",
    "{{ missing + 'x' }}", "{{ 1 + 'x' }}", "{{ none + 1 }}", "{{ 1 / 0 }}", "{{ 1 < 'a' }}", "{{ missing.x }}", "{{ missing[0] }}",
    "{{ 5 in 'abc' }}", "{{ {} < {} }}", "{{ missing > 1 }}", "{{ [] + () }}", "{{ 'a' - 'b' }}", "{{ 2 ** 0.5 }}", "{{ 0 ** -1 }}",
    # items, slices
    "{{ l[0] }}{{ l[-1] }}{{ l.0 }}{{ a[1] }}{{ a[-1] }}{{ uni[3] }}{{ d['k'] }}{{ d.k }}{{ d.z.1 }}{{ d['items'] }}",
    "{{ l[1:] }}{{ l[:-1] }}{{ l[::-1] }}{{ l[::2] }}{{ l[5:] }}{{ l[-2:] }}{{ l[2:0:-1] }}{{ l[:] }}{{ l[-9:9] }}",
    "{{ a[1:3] }}{{ a[::-1] }}{{ a[:-1] }}{{ uni[2:5] }}{{ uni[::-1] }}{{ a[9:] }}{{ a[-3:-1] }}{{ a[4:1:-2] }}{{ (1,2,3)[1:] }}",
    "{{ l[none:2] }}{{ l['x'] }}{{ a['x'] }}{{ l[1.0] }}", "{{ d[1:] }}", "{{ missing[1:] }}", "{{ l[::0] }}", "{{ l[true] }}",
    "{{ 'abc'['upper']() }} {{ d['keys']()|list }}", "{{ l[:100000000000] }}{{ l[-100000000000::100000000000] }}",
    # statements
    "{% if no %}1{% elif n == 3 %}2{% elif yes %}3{% else %}4{% endif %}", "{% if missing %}1{% else %}2{% endif %}",
    "{% if [] %}1{% endif %}{% if {} %}2{% endif %}{% if 0.0 %}3{% endif %}{% if '' %}4{% endif %}{% if ' ' %}5{% endif %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ x }};{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}", "{% for x in [] %}a{% else %}none{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}={{ x }}{% if not loop.last %},{% endif %}{% else %}none{% endfor %}",
    "{% for x in l if x > 9 %}a{% else %}none{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}{% for c in uni %}[{{ c }}]{% endfor %}{% for x in missing %}z{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% if x == 2 %}{% break %}{% endif %}{% endfor %}",
    "{% for x in l %}{% for y in words %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}", "{% for x in none %}{% endfor %}",
    "{% for x in n %}{% endfor %}", "{% for a, b in [(1, 2), [3, 4], 'xy'] %}{{ a }}{{ b }} {% endfor %}", "{% for a, b in [(1,)] %}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }}{% endfor %}", "{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "{% for i in l %}{{ y }}{% set y = i %}{% endfor %}{{ y }}",
    "{% set ns = namespace(x=0, s='') %}{% for i in l %}{% set ns.x = ns.x + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.x }}{{ ns.s }}{{ ns.none }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set x %}a {{ n }} b{% endset %}[{{ x }}]", "{% set x | upper | trim %} a {% endset %}[{{ x }}]",
    "{% if yes %}{% set x = 5 %}{% endif %}{{ x }}", "{% set d.k = 1 %}", "{% with x = 1, y = n %}{{ x }}{{ y }}{% endwith %}{{ x }}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}", "{% set x = l[1:] + [9] %}{{ x }}", "{% set x = 1 if yes else 2 %}{{ x }}",
    "{% macro m(a, b=2, c='x') %}({{ a }},{{ b }},{{ c }}){% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m(b=1, a=2) }}{{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}", "{{ m(1) }}",
    "{% macro fact(n) %}{% if n < 2 %}1{% else %}{{ n }}*{{ fact(n - 1) }}{% endif %}{% endmacro %}{{ fact(5) }}",
    "{% macro m() %}{{ late }}{% endmacro %}{% set late = 'L' %}{{ m() }}", "{% macro m(x, y=x) %}{{ y }}{% endmacro %}{{ m(4) }}",
    "{% macro m() %} a {% endmacro %}[{{ m() | trim }}]{{ m() ~ m() }}{{ m()|length }}", "{% macro m(a) %}{{ loop }}{% endmacro %}{% for x in [1] %}{{ m(x) }}{% endfor %}",
    "{% generation %}a{{ n }}{% set g = 1 %}{% endgeneration %}{{ g }}", "{% filter upper %}a{{ a }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}a{{ a }}{% endfilter %}",
    "{{ raise_exception('no') }}", "{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%d %A %B %j %y %H:%M') }}", "{{ range(5)|list }}{{ range(1, 8, 3)|list }}{{ range(3, 0, -1)|list }}{{ range(4)[2] }}{{ range(3)|length }}",
    "{% for i in range(3) %}{{ i }}{% endfor %}{{ dict(a=1, b=2) }}{{ dict({'x': 1}, y=2) }}", "{{ range(200000)|length }}",
    "{% set ns = namespace() %}{% set ns.a = [1] %}{{ ns.a }}{{ ns.b is defined }}{{ ns['a'] }}", "{{ range(3) == range(3) }}",
    # filters
    "{{ text|trim }}|{{ ' x '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ missing|trim }}|{{ 5|trim }}", "{{ a|upper }}{{ 'ABC'|lower }}{{ 'hello wORLD-foo (bar'|title }}{{ 'hELLO World'|capitalize }}",
    "{{ uni|upper }}|{{ uni|lower }}|{{ uni|title }}|{{ uni|capitalize }}|{{ '\u01c6 \ufb03'|capitalize }}", "{{ 'a\u03a3 \u03a3 a\u03a3b'|lower }}",
    "{{ l|length }}{{ a|length }}{{ d|count }}{{ missing|length }}{{ uni|length }}", "{{ n|length }}", "{{ none|length }}",
    "{{ words|join(', ') }}{{ words|join }}{{ rows|join('-', attribute='role') }}{{ missing|join }}{{ [1, none]|join(',') }}{{ 'abc'|join('.') }}{{ l|join(d=0) }}",
    "{{ missing|default('x') }}{{ missing|d }}{{ empty|default('x') }}{{ empty|default('x', true) }}{{ none|d('y', boolean=true) }}{{ none|default('z') }}{{ missing.x|default(1) }}",
    "{{ d.nothing|default('x') }}{{ missing|default }}|{{ d.nothing.more|default('deep') }}",
    "{{ l|first }}{{ l|last }}{{ a|first }}{{ a|last }}{{ []|first }}{{ d|first }}{{ d|last }}", "{{ 'ab'|list }}{{ d|list }}{{ missing|list }}{{ (1, 2)|list }}",
    "{% for k, v in d|items %}{{ k }}:{{ v }} {% endfor %}{{ missing|items|list }}", "{{ n|items|list }}", "{{ d|dictsort }}{{ {'b': 1, 'A': 2}|dictsort }}{{ {'b': 1, 'A': 2}|dictsort(true) }}{{ {'b': 1, 'A': 2}|dictsort(by='value', reverse=true) }}",
    "{{ rows|map(attribute='role')|list }}{{ rows|map(attribute='o.p')|list }}{{ rows|map(attribute='o.p', default=0)|list }}{{ words|map('upper')|join }}{{ words|map('replace', 'b', 'z')|list }}",
    "{{ rows|selectattr('role', 'equalto', 'user')|list|length }}{{ rows|rejectattr('role', '==', 'user')|map(attribute='n')|list }}{{ rows|selectattr('o')|list|length }}{{ rows|selectattr('o.p', 'defined')|list|length }}",
    "{{ l|select('odd')|list }}{{ l|reject('gt', 1)|list }}{{ [0, 1, '']|select|list }}{{ l|select('in', [1, 2])|list }}{{ l|select('divisibleby', 3)|first }}",
    "{% set g = l|select('odd') %}{{ g|list }}{{ g|list }}{% if g %}true{% endif %}", "{{ l|map('string')|length }}", "{{ l|map('nofilter')|list }}",
    "{{ '42'|int }}{{ 'x'|int }}{{ 'x'|int(7) }}{{ 3.9|int }}{{ ' 12 '|int }}{{ '3.7'|int }}{{ true|int }}{{ none|int }}{{ '1_0'|int }}{{ '-5'|int }}{{ '1e2'|int }}",
    "{{ '1.5'|float }} {{ 'x'|float }} {{ 3|float }} {{ 'y'|float(1.5) }} {{ none|float }}", "{{ -3|abs }}{{ 2.7|round }}{{ 2.5|round }}{{ 3.14159|round(2) }}{{ 2.1|round(0, 'ceil') }}{{ 2.9|round(method='floor') }}{{ 5|round }} {{ 1.005|round(2) }}",
    "{{ 'aXbX'|replace('X', '-') }}{{ 'aXbX'|replace('X', '-', 1) }}{{ 'ab'|replace('', '.') }}{{ 5|replace('5', 'five') }}{{ 'a'|replace('a', 1) }}", "{{ 5|string + 'x' }}{{ none|string }}{{ [1]|string }}",
    "{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb\n'|indent(2, blank=true) }}|{{ 'a\nb'|indent('> ', first=true) }}|{{ ''|indent(first=true) }}",
    "{{ ['b', 'A', 'c', 'a']|sort }}{{ ['b', 'A', 'c', 'a']|sort(case_sensitive=true) }}{{ l|sort(reverse=true) }}{{ rows|sort(attribute='n')|map(attribute='n')|list }}{{ rows|sort(attribute='role', reverse=true)|map(attribute='n')|list }}",
    "{{ [1, 2, 1, 'a', 'A']|unique|list }}{{ ['a', 'A']|unique(true)|list }}{{ l|reverse|list }}{{ a|reverse }}{{ l|min }}{{ l|max }}{{ words|max }}{{ []|min }}{{ l|sum }}{{ rows|sum(attribute='n') }}{{ l|sum(start=10) }}",
    "{{ json|tojson }}", "{{ json|tojson(indent=2) }}", "{{ json|tojson(indent=4, sort_keys=true) }}", "{{ json|tojson(ensure_ascii=true) }}", "{{ uni|tojson(ensure_ascii=true) }}{{ html|tojson }}",
    "{{ json|tojson(separators=(',', ':')) }}", "{{ json|tojson(indent=0) }}", "{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}{{ []|tojson(indent=2) }}{{ (1, 2)|tojson }}", "{{ missing|tojson }}", "{{ l|map('string')|tojson }}", "{{ [[[]], {}, [{}]]|tojson(indent=1) }}{{ json|tojson(indent='\t') }}",
    "{{ 1e100|tojson }} {{ 1.0|tojson }} {{ 12345678901234567|tojson }} {{ 0.00001|tojson }} {{ -0.0|tojson }} {{ 1e15|tojson }} {{ 1e16|tojson }} {{ 123456.789e3|tojson }}",
    "{{ html|escape }}{{ html|e }}{{ (html|safe) + '<' }}{{ '<' + ('b'|safe) + html }}{{ html|safe }}{{ html|e|e }}{{ html|safe ~ '<' }}", "{{ a|nosuchfilter }}", "{{ a is nosuchtest }}", "{{ a|length > 3 }}{{ a|length - 1 }}{{ 'x' ~ a|upper }}",
    "{{ 'a,b'.split(',')|map('trim')|join('+') }}", "{{ words|sort|first|upper }}",
    # tests
    "{{ a is defined }}{{ missing is defined }}{{ missing is undefined }}{{ none is none }}{{ missing is none }}{{ a is string }}{{ n is string }}{{ d is mapping }}{{ l is mapping }}",
    "{{ l is iterable }}{{ a is iterable }}{{ n is iterable }}{{ d is iterable }}{{ missing is iterable }}{{ none is iterable }}{{ l is sequence }}{{ d is sequence }}{{ a is sequence }}{{ n is sequence }}{{ missing is sequence }}",
    "{{ n is number }}{{ f is number }}{{ yes is number }}{{ n is integer }}{{ yes is integer }}{{ f is float }}{{ yes is boolean }}{{ n is boolean }}{{ yes is true }}{{ no is false }}{{ n is true }}{{ 1 is true }}",
    "{{ 4 is even }}{{ 4 is odd }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}{{ 1 is in l }}{{ 1 is not in l }}{{ 1 is eq 1 }}{{ 2 is gt 1 }}{{ 2 is lt(1) }}{{ 2 is ge 2 }}{{ 2 is ne 2 }}{{ 'a' is equalto 'a' }}{{ 1 is lessthan 2 }}",
    "{{ 'abc' is lower }}{{ 'ABC' is upper }}{{ 'aB' is lower }}{{ '1' is upper }}{{ true is sameas true }}{{ none is sameas none }}{{ range is callable }}{{ a is callable }}{{ a is not defined }}{{ not a is defined }}",
    "{{ a.strip is defined }}{{ d.k is defined }}{{ d.q is defined }}{{ a is defined and a is string }}{{ 'yes' if a is string else 'no' }}{{ (a|safe) is escaped }}", "{{ l[7] is defined }}{{ d['x'] is none }}{{ d.x is not none }}",
    # methods
    "{{ text.strip() }}|{{ text.lstrip() }}|{{ text.rstrip() }}|{{ 'xaxx'.strip('x') }}|{{ '\\n\\na\\n'.lstrip('\\n') }}|{{ 'abcba'.rstrip('ab') }}",
    "{{ 'a b  c'.split() }}{{ ' a b '.split(' ') }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}{{ ' a b c '.split(none, 1) }}{{ ' a b c '.rsplit(none, 1) }}{{ ''.split() }}{{ ''.split(',') }}{{ 'abc'.split('b')[-1] }}{{ 'a'.split(maxsplit=0) }}",
    "{{ 'a<t>b<t>c'.split('<t>') }}{{ 'aaaa'.split('aa') }}{{ 'aaa'.rsplit('aa') }}{{ 'x'.split('') }}", "{{ 'a\\nb\\r\\nc\\rd'.splitlines() }}{{ 'a\\nb\\n'.splitlines(true) }}{{ ''.splitlines() }}",
    "{{ a.startswith('al') }}{{ a.endswith('ha') }}{{ a.startswith(('x', 'a')) }}{{ a.startswith('') }}{{ a.find('p') }}{{ a.find('z') }}{{ uni.find('\u0130') }}{{ 'abab'.rfind('b') }}{{ 'abab'.count('ab') }}{{ 'aaa'.count('') }}{{ a.index('p') }}", "{{ a.index('z') }}",
    "{{ a.upper() }}{{ 'ABC'.lower() }}{{ \"they're bill's\".title() }}{{ 'hELLO'.capitalize() }}{{ uni.title() }}", "{{ 'aXbX'.replace('X', '-') }}{{ 'aXbX'.replace('X', '', 1) }}{{ 'aXb'.replace('X', 'YY').replace('Y', 'Z') }}{{ 'abc'.replace('', '-', 2) }}",
    "{{ ','.join(words) }}{{ '-'.join('abc') }}", "{{ ','.join(l) }}", "{{ 'pre-x'.removeprefix('pre-') }}{{ 'x.py'.removesuffix('.py') }}{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}{{ 'abc'.partition('z') }}{{ 'abc'.rpartition('z') }}",
    "{{ ' '.isspace() }}{{ ''.isspace() }}{{ '12'.isdigit() }}{{ 'a1'.isalnum() }}{{ 'ab'.isalpha() }}{{ 'AB'.isupper() }}{{ 'ab'.islower() }}{{ '\u0663'.isdecimal() }}{{ 'a b'.isalpha() }}",
    "{{ d.get('k') }}{{ d.get('q') }}{{ d.get('q', 'z') }}{{ d.keys()|list }}{{ d.values()|list }}{{ d.items()|list }}{{ d.items()|length }}{{ d.copy() }}{{ d.keys()|first }}{{ 'k' in d.keys() }}", "{{ l.count(1) }}{{ l.index(2) }}{{ (1, 2).index(2) }}", "{{ l.append(4) }}", "{{ d.update({'a': 1}) }}", "{{ d.pop('k') }}",
    "{% set x = l.append(1) %}{{ l }}", "{{ a.nosuch() }}", "{{ a.nosuch }}|", "{{ n.upper() }}", "{{ a() }}",
    # broken
    "{% if %}", "{{ a", "{% for x in l %}", "{{ 'a }}", "{% endif %}", "{{ }}", "{{ a b }}", "{% set %}", "{% nosuch %}", "{{ 1 + }}", "{# x", "{% raw %}x", "{{ [1, }}", "{{ a..b }}", "{% for in l %}{% endfor %}", "{% if a %}{% else %}{% else %}{% endif %}", "{{ a | }}", "{{ f(a=1, 2) }}", "{{ (1 }}", "{{ } }}", "{% macro %}{% endmacro %}", "{% break %}", "{{ a is }}", "{% set 1 = 2 %}", "{% set true = 2 %}", "{{ not }}",
]

# Constructs that Jinja has and that are refused here, whatever it makes of them.
REFUSED = ["{% include 'x' %}", "{% extends 'x' %}", "{% block b %}{% endblock %}", "{% import 'x' as y %}",
           "{% from 'x' import y %}", "{% call m() %}{% endcall %}", "{% for x in l recursive %}{% endfor %}",
           "{% autoescape true %}{% endautoescape %}", "{{ cycler('a') }}", "{{ joiner(',') }}", "{{ lipsum() }}",
           "{{ a|wordcount }}", "{{ l|groupby('x') }}", "{{ l|batch(2) }}", "{{ l|random }}", "{{ a|urlize }}",
           "{{ '%s' % a }}", "{{ '{}'.format(a) }}", "{{ a.encode() }}", "{{ a.zfill(9) }}", "{{ a.swapcase() }}", "{{ m(*l) }}", "{{ m(**d) }}",
           "{{ a.__class__ }}", "{{ n.real }}", "{{ '12'|int(base=16) }}", "{{ l|map('string') }}", "{{ d.items() }}",
           "{{ d.items }}", "{{ [1].append }}", "{{ range(3) }}", "{{ range }}", "{{ a.strip }}", "{{ namespace() }}", "{{ strftime_now('%Z') }}", "{{ a is sameas a }}",
           "{% macro m() %}{{ varargs }}{% endmacro %}{{ m(1) }}", "{{ 99999999999999999999 }}", "{{ '\\N{DASH}' }}", "{{ 0x10 }}",
           "{{ 9223372036854775807 }}", "{{ loop.index }}", "{% for x in l %}{{ loop.nosuch }}{% endfor %}", "{{ l|sort(attribute='a,b') }}",
           "{{ 'a'.startswith('a', 1) }}", "{{ l[1, 2] }}", "{{ 'x'|safe.upper() }}", "{{ ('x'|safe).upper() }}"]


def run(template, variables):
    try:
        return {"text": chat_template_utils._compile_jinja_template(template).render(**variables)}
    except Exception:  # whatever it says, ours fails as well
        return {"error": True}


def tokenizer_for(name):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")),
                                   **SPECIALS[name])


def render(tokenizer, template, conversation):
    try:
        return tokenizer.apply_chat_template(
            conversation["messages"], tools=conversation.get("tools"), chat_template=template,
            add_generation_prompt=conversation.get("prompt", True), tokenize=False,
            **conversation.get("kwargs", {}))
    except Exception:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("INTUITOR_DATA"))
    parser.add_argument("output")
    options = parser.parse_args()
    templates = {"olmo2": (OLMO2, "olmo2")}
    digests = {}
    for name, path, specials in (
            ("qwen2.5-base", "qwen2.5/chat_template_base.jinja", "qwen2.5"),
            ("qwen2.5", "qwen2.5/chat_template_instruct.jinja", "qwen2.5"),
            ("qwen3", "qwen3/chat_template.jinja", "qwen3"),
            ("llama3.1", "llama3/chat_template_llama-3.1-8b-instruct.jinja", "llama3"),
            ("llama3.2", "llama3/chat_template_llama-3.2-3b-instruct.jinja", "llama3")):
        with open(os.path.join(options.data, "tokenizers", path), encoding="utf-8") as file:
            templates[name] = (file.read(), specials, path)
    golden = {"date": NOW.strftime("%Y-%m-%d"), "variables": DATA, "snippets": [],
              "refused": REFUSED, "conversations": CONVERSATIONS, "templates": []}
    for snippet in SNIPPETS:
        golden["snippets"].append({"template": snippet, **run(snippet, DATA)})
    for name, (template, specials, *path) in templates.items():
        tokenizer = tokenizer_for(specials)
        texts = [render(tokenizer, template, c) for c in CONVERSATIONS]
        entry = {"name": name, "specials": SPECIALS[specials]}
        if path:
            entry["path"] = "tokenizers/" + path[0]
        if specials == "llama3":  # not ours to pass on: digests of what it gives
            texts = [t if t is None else hashlib.sha256(t.encode()).hexdigest() for t in texts]
        else:
            entry["template"] = template
        golden["templates"].append({**entry, "rendered": texts})
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump(golden, file, ensure_ascii=False, indent=0)
        file.write("\n")
    print(f"{len(SNIPPETS)} snippets, {len(REFUSED)} refused, {len(CONVERSATIONS)} conversations, "
          f"{len(templates)} templates, {os.path.getsize(options.output)} bytes")


if __name__ == "__main__":
    sys.exit(main())
