"""What the running program goes by, read again when its files change: rules, filters and placeholders; routes."""

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import structlog

from stream.configuration import Configuration, load
from stream.deliver.dispatcher import Dispatcher
from stream.detect.detection import Detection, files_of
from stream.detect.detector import Detector
from stream.detect.documents import files
from stream.detect.rules import Refused, RuleSet
from stream.errors import ConfigError
from stream.metrics import Metrics
from stream.pipeline import Pipeline
from stream.reload import Fingerprint, Reloadable, fingerprint

log = structlog.get_logger()


class InForce:
    """Knows what is in force, and how something else comes in its place.

    Args:
        configuration: what the environment says.
        metrics: where rules, filters and the hash of everything are told.
        detector: makes the judge of a set of rules.

    Raises:
        ConfigError: the rules or filters can't be used.
    """

    def __init__(self, configuration: Configuration, metrics: Metrics, detector: Callable[[RuleSet], Detector]) -> None:
        settings = configuration.settings
        self._configuration = configuration
        self._metrics = metrics
        self._detector = detector
        self._paths = files_of(settings)
        self._route_paths = (settings.routes,) if settings.routes else ()
        # Taken before anything is read: what changes in between is read again at once.
        self._seen: Fingerprint = fingerprint(self._paths)
        self._routes_seen: Fingerprint = fingerprint(self._route_paths)
        self.detection = Detection.load(settings, detector)
        self._digest = _digest(self._paths)
        self._declare(self.detection)

    def tell(self) -> None:
        """Log what whoever wrote the rules, filters and routes had better know."""
        self._tell_of(self.detection)
        _tell_of_routes(self._configuration)

    def parts(self, pipeline: Pipeline, dispatcher: Dispatcher) -> tuple[Reloadable, ...]:
        """What is to be read again, for a `Reloader`.

        Args:
            pipeline: what messages go through.
            dispatcher: sends alerts by the routes.
        """
        return (
            Reloadable("rules", self._paths, self._seen, partial(self._rules, pipeline)),
            Reloadable("routes", self._route_paths, self._routes_seen, partial(self._routes, dispatcher)),
        )

    def _rules(self, pipeline: Pipeline) -> Callable[[], None]:
        digest = _digest(self._paths)
        detection = Detection.load(self._configuration.settings, self._detector)
        if fault := _fault(self.detection.rules, detection.rules):
            raise ConfigError(str(fault))

        def put_in_force() -> None:
            before = self.detection.rules
            self._digest = digest
            self._declare(detection)
            self.detection = pipeline.detection = detection
            log.info("rules read again", rules=len(detection.rules.rules), suppressions=len(detection.suppressions.all))
            self._tell_of(detection, before)

        return put_in_force

    def _routes(self, dispatcher: Dispatcher) -> Callable[[], None]:
        if not self._route_paths:
            return _nothing
        configuration = load(need_queue=True, need_channel=True)
        if _channels(configuration) != _channels(self._configuration):
            raise ConfigError("TRAILSTREAM_ROUTES: its channels have changed: that takes a restart.")

        def put_in_force() -> None:
            self._configuration = configuration
            dispatcher.routes = configuration.routes
            self._set_hash()
            log.info("routes read again", routes=len(configuration.routes.routes))
            _tell_of_routes(configuration)

        return put_in_force

    def _declare(self, detection: Detection) -> None:
        self._metrics.declare_rules((rule.info.id, rule.pack) for rule in detection.rules.rules)
        self._metrics.declare_filters(suppression.id for suppression in detection.suppressions.all)
        self._set_hash()

    def _set_hash(self) -> None:
        self._metrics.config_hash.set(config_hash(self._configuration, self._digest))

    def _tell_of(self, detection: Detection, before: RuleSet | None = None) -> None:
        for refused in _new_refusals(before, detection.rules):
            self._metrics.errors.labels("rules", "refused").inc()
            log.warning("rule refused", source=refused.source, reason="refused", cause=refused.reason)
        for suppression in detection.suppressions.all:
            for warning in suppression.warnings:
                log.warning("check this suppression", filter=suppression.id, source=suppression.source, reason=warning)


def config_hash(configuration: Configuration, files_digest: bytes = b"") -> int:
    """48 bits (what a metric's float holds exactly) of a hash of all that is set, the files named there included.

    Secrets count by being set or not.
    """
    sections = sorted(configuration.sections.items(), key=lambda item: item[0].__name__)
    parts = [f"{section.__name__} {values.model_dump_json()}" for section, values in sections]
    parts += [f"{each.kind} {each.name} {each.settings.model_dump_json()}" for each in configuration.instances]
    text = "\n".join([*parts, repr(configuration.routes)])
    return int.from_bytes(hashlib.sha256(text.encode() + files_digest).digest()[:6], "big")


def _digest(paths: Iterable[str]) -> bytes:
    digest = hashlib.sha256()
    for path in paths:
        for file in files(path, variable="TRAILSTREAM_RULES, _SUPPRESS, _PLACEHOLDERS", kind="rule"):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.digest()


def _fault(before: RuleSet, after: RuleSet) -> Refused | None:
    """A rule that is newly refused while one that is in force would go: what broke is likely the same."""
    gone = {rule.info.id for rule in before.rules} - {rule.info.id for rule in after.rules}
    return next(iter(_new_refusals(before, after)), None) if gone else None


def _new_refusals(before: RuleSet | None, after: RuleSet) -> list[Refused]:
    # By the file's name alone: a mounted ConfigMap has its files in another folder each time.
    known = {(Path(each.source).name, each.reason) for each in before.refused} if before else set()
    return [each for each in after.refused if (Path(each.source).name, each.reason) not in known]


def _channels(configuration: Configuration) -> list[tuple[str, str, object]]:
    """What the channels are; of those that variables made no settings, which none but a new process has."""
    return [(each.name, each.kind, each.settings if each.place else None) for each in configuration.instances]


def _tell_of_routes(configuration: Configuration) -> None:
    for warning in configuration.routes.warnings():
        log.warning("check the routes", reason=warning)


def _nothing() -> None:
    """No file of routes is named."""
