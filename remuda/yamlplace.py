"""Where YAML is wrong, without a word of what stands there: it may be a password."""

import yaml


def place_of(error: Exception) -> str:
    """Return ``line 3, column 7``; ``somewhere`` if the parser does not say."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            return f"line {mark.line + 1}, column {mark.column + 1}"
    if isinstance(error, yaml.reader.ReaderError):
        return f"character {error.position + 1}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1}"
    return "somewhere"
