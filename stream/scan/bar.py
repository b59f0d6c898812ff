"""What a scan's progress looks like: figures in, a bar of rich's out."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


def bar(figures: Callable[[], str]) -> Progress:
    """A bar on standard error whose tasks are of stored bytes and have a field `files`.

    Args:
        figures: more of what there is to say, at any moment.
    """
    # Drawn by hand, and standard output left alone: rich would send it to standard error.
    return Progress(
        TextColumn("{task.fields[files]}"),
        BarColumn(bar_width=None),
        _Figures(figures),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
        expand=True,
    )


class _Figures(ProgressColumn):
    """What the task itself does not know."""

    max_refresh = None

    def __init__(self, figures: Callable[[], str]) -> None:
        super().__init__()
        self._figures = figures

    def render(self, task: Task) -> Text:
        of = f" of {task.total / 1e6:,.1f}" if task.total is not None else ""
        return Text(f"{task.completed / 1e6:,.1f}{of} MB  {self._figures()}")
