"""A Jinja2 environment for templates that may do nothing but write a message: no code, no files, no end of loops."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from stream.errors import TrailstreamError

MAX_PRODUCT: Final = 10_000
"""Characters or items that a multiplication in a template may make."""

# A template runs on the event loop. One of three thousand turns of a loop takes about a twentieth of a second.
_MAX_STEPS: Final = 3000


class EndlessError(TrailstreamError):
    """A template takes more steps than any message needs."""


class _Inert(str):
    """Text that has been made inert already."""

    __slots__ = ()


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, in which what is printed becomes inert, and no template goes on for ever.

    Args:
        inert: makes a value text that does nothing in the format that is written.
        filters: by name; each does the same, and emphasises.

    Attributes:
        steps: taken by the rendering at hand: turns of loops, calls, and values printed. It is one at a time, for it
            waits for nothing.
    """

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, *, inert: Callable[[Any], str], filters: Mapping[str, Callable[[Any], str]]) -> None:
        super().__init__(
            undefined=StrictUndefined, finalize=self._inert, trim_blocks=True, lstrip_blocks=True, autoescape=False
        )
        self.steps = 0
        self._make_inert = inert
        for name, filter_ in filters.items():
            self.filters[name] = lambda value, filter_=filter_: _Inert(filter_(value))
        self.filters["counted"] = self._counted

    # What a macro returns, or a `set` block holds, is made of pieces that went through `finalize` already.
    concat = staticmethod(lambda parts: _Inert("".join(parts)))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno)
        return tree

    def call(self, context: Context, callee: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a macro, a method or a function."""
        self._step()
        return super().call(context, callee, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Multiply, within reason."""
        if operator == "**":
            raise SecurityError("a template may not raise to a power")
        count = left if isinstance(left, int) else right
        several = right if isinstance(left, int) else left
        if isinstance(count, int) and hasattr(several, "__len__") and count * len(several) > MAX_PRODUCT:
            raise SecurityError("a template may not make so much by multiplying")
        return super().call_binop(context, operator, left, right)

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._step()
            yield item

    def _step(self) -> None:
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise EndlessError

    def _inert(self, value: Any) -> str:
        self._step()
        if isinstance(value, Undefined):
            return str(value)  # which raises, and names it
        return value if isinstance(value, _Inert) else _Inert(self._make_inert(value))
