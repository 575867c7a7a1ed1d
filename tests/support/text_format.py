"""Reads protobuf's text format without knowing the messages."""

import re

_TOKENS = re.compile(r'#[^\n]*|"(?:[^"\\]|\\.)*"|[\w.+-]+|[{}\[\]:,]')


def parse(text):
    """Fields of a message: name to the list of its values.

    A value is a string as it is written, quotes included, or such a dict.
    """
    tokens = [x for x in _TOKENS.findall(text) if not x.startswith("#")]
    fields, rest = _message(tokens)
    if rest:
        raise ValueError(f"There must be nothing after the message: {rest}")
    return fields


def _message(tokens):
    fields = {}
    while tokens and tokens[0] != "}":
        name, *tokens = tokens
        if tokens[0] == ":":
            tokens = tokens[1:]
        if tokens[0] == "{":
            value, tokens = _message(tokens[1:])
            if tokens[0] != "}":
                raise ValueError(f"A message must end: {name}")
            fields.setdefault(name, []).append(value)
            tokens = tokens[1:]
        elif tokens[0] == "[":
            end = tokens.index("]")
            values = [x for x in tokens[1:end] if x != ","]
            fields.setdefault(name, []).extend(values)
            tokens = tokens[end + 1 :]
        else:
            fields.setdefault(name, []).append(tokens[0])
            tokens = tokens[1:]
    return fields, tokens
