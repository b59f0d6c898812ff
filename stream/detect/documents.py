"""Files of Sigma documents: the paths that a variable names in, YAML documents out, or an error that says where."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from sigma.rule import SigmaYAMLLoader

from stream.errors import ConfigError

_SUFFIXES: Final = (".yml", ".yaml")
_TESTS: Final = (".test.yml", ".test.yaml")
_REASON_CHARACTERS: Final = 300


def files(path: str, *, variable: str, kind: str) -> list[Path]:
    """The file of this path, or those (`*.yml`, `*.yaml`) of the folder and of the folders in it, by name.

    Args:
        path: a file or folder.
        variable: the variable that names it, for the error.
        kind: what they should hold: `rule`, `filter`. Tests of rules (`*.test.yml`) that a folder has are left out.

    Raises:
        ConfigError: it does not exist, can't be read, or is a folder without such files.
    """
    root = Path(path).expanduser()
    try:
        if not root.is_dir():
            return [root.resolve(strict=True)]
        any(root.iterdir())  # `rglob` passes over a folder that may not be read
        # Hidden folders are left out, and what is reached twice counts once: a mounted ConfigMap keeps its files in a
        # folder `..2025_01_01` that links beside it lead to.
        found = [
            file.resolve(strict=True)
            for file in sorted(root.rglob("*"))
            if file.suffix in _SUFFIXES
            and not is_test(file.name)
            and not any(part.startswith(".") for part in file.relative_to(root).parts)
            and not file.is_dir()
        ]
    except OSError as error:
        raise ConfigError(f"{variable}: can't read {path}: {error.strerror or type(error).__name__}.") from error
    if not found:
        raise ConfigError(f"{variable}: the folder {path} holds no {kind} (*.yml, *.yaml).")
    return found


def is_test(name: str) -> bool:
    """Whether a file of this name holds tests of the rules beside it."""
    return name.endswith(_TESTS)


def read(file: Path) -> str:
    """The text of a file.

    Raises:
        ConfigError: it can't be read, or is no text.
    """
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("it is not UTF-8 text") from error
    except OSError as error:
        raise ConfigError(f"can't read it: {error.strerror or type(error).__name__}") from error


def documents(text: str, *, kind: str) -> list[Any]:
    """The YAML documents of a text, empty ones left out.

    Raises:
        ConfigError: it is not YAML, or holds none.
    """
    try:
        found = list(yaml.load_all(text, Loader=SigmaYAMLLoader))  # pySigma's own, a safe loader
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as error:
        raise ConfigError(f"it is not YAML: {error}") from error
    found = [document for document in found if document is not None]
    if not found:
        raise ConfigError(f"it holds no {kind}")
    return found


def mapping(document: Any, *, kind: str) -> Mapping[str, Any]:
    """The document, if it is what every Sigma document is.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(f"it is not a Sigma {kind}, which is a mapping")
    return document


def refusal(error: ConfigError, *, variable: str, source: str) -> ConfigError:
    """Why a document can't be used, as one line of bounded length that names the variable and the file."""
    return ConfigError(f"{variable}: {source}: {one_line(error)}.")


def one_line(error: ConfigError) -> str:
    """An error's words as one line of bounded length."""
    return " ".join(str(error).split())[:_REASON_CHARACTERS]
