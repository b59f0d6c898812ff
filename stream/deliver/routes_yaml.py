"""YAML text in; mappings, lists and texts out, with the line of each.

Numbers and booleans stay the texts that were written, as an environment variable has them: 012345670123 is an account
and no octal number. What YAML itself says of a fault is told without anything that stood in the text.
"""

import re
from typing import Any, Final

import yaml

from stream.errors import ConfigError

Path = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
Lines = dict[Path, int]
"""Lines of keys and elements, from 1, by their paths."""

_NULL: Final = "tag:yaml.org,2002:null"
_STANDARD: Final = "tag:yaml.org,2002:"
_NODES: Final = 100_000  # an alias may stand for ten others, and each of those too
_DEPTH: Final = 20
_QUOTED: Final = re.compile(r"""(['"])(.*?)\1""")


def parse(text: str) -> tuple[Any, Lines]:
    """The one document of a text, `None` if it is empty, and where everything in it stands.

    Raises:
        ConfigError: it is no YAML, is nested too deep, is made of too much, or has a key twice; says in which line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = _QUOTED.sub(_own_words, error.problem or "it ends too early")
        raise ConfigError(f"line {line}: it is not YAML: {problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"line {line}: it has a character that YAML does not allow") from None
    except RecursionError:
        raise ConfigError("it is nested too deep") from None
    reading = _Reading()
    return (None if root is None else reading.value(root, ())), reading.lines


def _own_words(quoted: re.Match[str]) -> str:
    """What YAML's own errors quote: a sign, or a token in angle brackets; anything else may be somebody's secret."""
    return quoted[0] if len(quoted[2]) < 2 or quoted[2].startswith("<") else "'…'"


class _Reading:
    """What has been made of a document so far."""

    def __init__(self) -> None:
        self.lines: Lines = {}
        self._nodes = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        line = self.lines.setdefault(path, node.start_mark.line + 1)
        self._nodes += 1
        if self._nodes > _NODES or len(path) > _DEPTH:
            raise ConfigError(f"line {line}: there is too much in it, or it is nested too deep")
        if not node.tag.startswith(_STANDARD):
            raise ConfigError(f"line {line}: tags (!…) mean nothing here")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*path, index)) for index, each in enumerate(node.value)]
        return None if node.tag == _NULL else node.value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"line {line}: a key should be text")
            if key.value in found:
                first = self.lines[(*path, key.value)]
                raise ConfigError(
                    f"line {line}: the key {key.value[:60]!r} is there twice; the first is in line {first}"
                )
            self.lines[(*path, key.value)] = line
            found[key.value] = self.value(value, (*path, key.value))
        return found
