"""A message's template as it is set: Jinja2 text, or the path of a file that holds it; checked before anything runs."""

from pathlib import Path
from typing import Final

_INLINE: Final = ("{{", "{%", "\n")


def source(template: str) -> str:
    """The text of a template that is given as such, or as the path of a file.

    Raises:
        OSError: there is no such file.
        UnicodeDecodeError: it is not UTF-8.
    """
    if any(mark in template for mark in _INLINE):
        return template
    return Path(template).read_text(encoding="utf-8")


def check_template(template: str) -> None:
    """Find out whether a template can be read and parsed.

    Raises:
        ValueError: it can't; the message says why.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        ImmutableSandboxedEnvironment().parse(source(template))
    except OSError as error:
        raise ValueError(f"there is no template to be read there: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError("the file is not UTF-8 text") from error
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise ValueError(f"not a Jinja2 template: {error}" + (f" (line {line})" if line else "")) from error
