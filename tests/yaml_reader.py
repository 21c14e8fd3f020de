"""Reads as much of YAML as the repository's own files need.

Mappings and lists in block style, lists in brackets, strings with quotes or without;
all scalars stay strings. PyYAML is no requirement, and these files are small.
"""

import re

_KEY = re.compile(r"([\w-]+):(?: (.+))?")


def read_yaml(text):
    """Reads a text.

    Returns:
        dict, list or str; None for a key without a value.

    Raises:
        ValueError: It is no such text.
    """
    lines = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            indent = len(line) - len(line.lstrip(" "))
            lines.append((indent, line.strip()))
    value = _read_block(lines, lines[0][0])
    if lines:
        raise ValueError(f"unexpected indent: {lines[0][1]}")
    return value


def _read_block(lines, indent):
    """Takes the lines of one block, which all have the same indent."""
    read = _read_list if lines[0][1].startswith("- ") else _read_mapping
    return read(lines, indent)


def _read_list(lines, indent):
    values = []
    while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
        _, line = lines.pop(0)
        item = line[2:].strip()
        if _KEY.fullmatch(item):
            # A mapping whose first key stands behind the dash.
            lines.insert(0, (indent + 2, item))
            values.append(_read_mapping(lines, indent + 2))
        else:
            values.append(_read_scalar(item))
    return values


def _read_mapping(lines, indent):
    values = {}
    while lines and lines[0][0] == indent and not lines[0][1].startswith("- "):
        _, line = lines.pop(0)
        match = _KEY.fullmatch(line)
        if match is None or match[1] in values:
            raise ValueError(f"expected another key: {line}")
        if match[2] is not None:
            values[match[1]] = _read_scalar(match[2])
        else:
            is_nested = bool(lines) and lines[0][0] > indent
            values[match[1]] = _read_block(lines, lines[0][0]) if is_nested else None
    return values


def _read_scalar(text):
    text = text.strip()
    if text.startswith("["):
        if not text.endswith("]"):
            raise ValueError(f"expected ]: {text}")
        return [
            _read_scalar(part) for part in re.findall(r'"[^"]*"|[^,\s]+', text[1:-1])
        ]
    if text.startswith('"'):
        if not re.fullmatch(r'"[^"\\]*"', text):
            raise ValueError(f"expected a string in quotes: {text}")
        return text[1:-1]
    if text[0] in "'{&*!|>%@`" or ": " in text or " #" in text:
        raise ValueError(f"expected quotes: {text}")
    return text
