"""The routes: how many there are, and what their author had better know; the channels of their file."""

from collections.abc import Iterator

from stream.checks.outcome import Outcome
from stream.configuration import Configuration


def check_routes(configuration: Configuration) -> Iterator[Outcome]:
    """Look at them; a line for each warning, else one if there is a file of routes."""
    warnings = configuration.routes.warnings()
    for warning in warnings:
        yield Outcome("routes", "warn", warning, "`trailstream routes` lists them as they are asked.")
    plain = [f"{each.name}: {', '.join(each.plain_secrets)}" for each in configuration.instances if each.plain_secrets]
    if plain:
        fix = "Whoever may read the file has them: give <name>_file with a path, or {env: NAME}, instead."
        yield Outcome("routes", "warn", f"secrets stand in the file themselves: {'; '.join(plain)}", fix)
    if configuration.settings.routes and not warnings and not plain:
        count = len(configuration.routes.routes)
        yield Outcome("routes", "ok", f"{count} of {configuration.settings.routes}")
