"""A message's template as it is set: Jinja2 text, or the path of a file that holds it; checked before anything runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jinja2 import Environment

NAMES: Final = frozenset(
    {
        "actor",
        "changes",
        "context",
        "event",
        "group",
        "id",
        "links",
        "log_file",
        "more_changes",
        "notice",
        "outcome",
        "provenance",
        "record",
        "resources",
        "rule",
        "severity",
        "summary",
        "title",
    }
)
"""What a template may speak of; see `stream.deliver.words.view`."""

FILTERS: Final = ("code", "strong")
"""Filters of ours, besides those of Jinja2; see `stream.deliver.words.Style`."""

_MAX_BYTES: Final = 64 * 1024
_INLINE: Final = ("{{", "{%", "{#", "\n")


def source(template: str) -> str:
    """The text of a template that is given as such, or as the path of a file.

    Raises:
        OSError: there is no such file.
        ValueError: it is none that may be read, or not UTF-8.
    """
    if any(mark in template for mark in _INLINE):
        return template
    path = Path(template)
    size_bytes = path.stat().st_size
    if not path.is_file():  # a pipe would be waited for, and a device never end
        raise ValueError("what is there is no file")
    if size_bytes > _MAX_BYTES:
        raise ValueError(f"the file has {size_bytes} bytes, and a template may have {_MAX_BYTES}")
    return path.read_text(encoding="utf-8")


def check_template(template: str) -> None:
    """Find out whether a template can be read, parsed and compiled, and speaks of nothing that no alert has.

    Raises:
        ValueError: it can't or does; the message says why.
    """
    from jinja2 import TemplateError

    from stream.sandbox import Sandbox

    try:
        text = source(template)
        text.encode()
        environment = Sandbox(inert=str, filters=dict.fromkeys(FILTERS, str))
        environment.from_string(text)
        _check_names(environment, text)
    except OSError as error:
        raise ValueError(f"there is no template to be read there: {error.strerror}") from error
    except UnicodeError as error:
        raise ValueError("the template is not UTF-8 text") from error
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise ValueError(f"not a Jinja2 template: {error}" + (f" (line {line})" if line else "")) from error
    except RecursionError as error:
        raise ValueError("not a Jinja2 template: it is nested too deeply") from error


def _check_names(environment: "Environment", text: str) -> None:
    from jinja2 import meta

    tree = environment.parse(text)
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise ValueError("a template can't include, import or extend another")
    if unknown := sorted(meta.find_undeclared_variables(tree) - NAMES):
        raise ValueError(f"it speaks of {', '.join(unknown)}, but an alert has only {', '.join(sorted(NAMES))}")
