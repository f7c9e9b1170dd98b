"""The configuration of `remuda dev` as people read it, and copy from it. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

#: Sections that speak for themselves in a configuration have none.
_COMMENTS: Final[Mapping[str, str]] = {
    "labels": "What jobs may ask for.",
    "providers": "Who makes machines, and of what.",
    "images": "Made by the builder: docs/images.md.",
    "developers": "Whose keys `remuda key add NODE --developer` puts onto held machines.",
    "holds": "What people may do with machines that are kept for them: docs/diagnosis.md.",
    "capsules": "Where all that is known of machines that failed is kept: docs/diagnosis.md.",
}
_WIDTH: Final = 100
#: Of keys and values of a mapping that is written in one line.
_LINE_CHARS: Final = 64


class _Dumper(yaml.SafeDumper):
    """Short mappings in one line, scripts as they are, nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's name
        """Write out what occurs twice: part of it may be copied."""
        return True


def _mapping(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.MappingNode:
    nested = any(isinstance(one, dict | list) or "\n" in str(one) for one in data.values())
    long = sum(len(str(word)) for pair in data.items() for word in pair) > _LINE_CHARS
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=not (nested or long))


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    style = "|" if "\n" in data else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(str, _text)


def readable(document: Mapping[str, Any]) -> str:
    """Return a configuration as YAML, a comment before each section that wants one."""
    text = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, width=_WIDTH)
    lines = text.splitlines(keepends=True)
    return "".join(_comment(line) + line for line in lines)


def _comment(line: str) -> str:
    """Return what stands before a line: only those that begin a section are not indented."""
    told = _COMMENTS.get(line.partition(":")[0])
    return "" if told is None else f"\n# {told}\n"
