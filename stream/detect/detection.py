"""What records are held against: the settings in; rules, filters and all that is made of them out, as one set."""

from collections.abc import Callable
from dataclasses import dataclass

from stream.canary.mark import CALL, LITERAL
from stream.decode import Prefilter
from stream.detect.detector import Detector
from stream.detect.placeholders import is_inline, load
from stream.detect.rules import RuleSet
from stream.detect.suppressions import Suppressions
from stream.settings import Settings


@dataclass(frozen=True, slots=True)
class Detection:
    """A set that goes together. It never changes: when files do, another takes its place.

    Attributes:
        prefilter: finds the records that any of the rules could match.
        detector: judges them by the rules.
        suppressions: what keeps alerts of these rules from being delivered.
    """

    prefilter: Prefilter
    detector: Detector
    suppressions: Suppressions

    @property
    def rules(self) -> RuleSet:
        """The rules in force."""
        return self.detector.rules

    @classmethod
    def load(cls, settings: Settings, detector: Callable[[RuleSet], Detector]) -> "Detection":
        """Read every file and build the whole set.

        Args:
            settings: name the files.
            detector: makes the judge of these rules.

        Raises:
            ConfigError: a file can't be used; names the variable, the file and the reason.
        """
        rules = rules_of(settings)
        literals, named = rules.literals, rules.named
        if settings.canary and literals is not None:
            literals |= {LITERAL}
            named = None if named is None else named | {CALL}
        return cls(Prefilter(literals, named), detector(rules), suppressions_of(settings, rules))


def rules_of(settings: Settings) -> RuleSet:
    """The rules that the settings name.

    Raises:
        ConfigError: they can't be used.
    """
    return RuleSet.load(
        settings.packs, settings.rules, strict=settings.rules_strict, placeholders=load(settings.placeholders)
    )


def suppressions_of(settings: Settings, rules: RuleSet) -> Suppressions:
    """The filters that the settings name.

    Raises:
        ConfigError: they can't be used.
    """
    return Suppressions.load(settings.suppress, rules.rules, load(settings.placeholders))


def files_of(settings: Settings) -> tuple[str, ...]:
    """The paths of everything that a set is made of: files, and folders with more of them."""
    inline = not settings.placeholders or is_inline(settings.placeholders)
    return (*settings.rules, *settings.suppress, *(() if inline else (str(settings.placeholders),)))
