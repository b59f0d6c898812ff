"""The chart's schema of values and its README, from values.yaml and from what the program says of its settings.

`python -m tests.deploy.chart` writes both.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.commands.running import invoke

CHART: Final = Path(__file__).parents[2] / "deploy/helm/trailstream"
SCHEMA: Final = CHART / "values.schema.json"
README: Final = CHART / "README.md"

_SCALARS: Final = {"type": ["string", "number", "boolean"]}
_FREE: Final = {"type": "object"}
_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_OBJECTS: Final = {"type": "array", "items": {"type": "object"}}
# What the values' own types don't tell.
_SPECIAL: Final[dict[str, dict[str, Any]]] = {
    "commonLabels": _TEXTS | {"propertyNames": {"not": {"pattern": "^(app\\.kubernetes\\.io|helm\\.sh)/"}}},
    "podAnnotations": _TEXTS,
    "nodeSelector": _TEXTS,
    "serviceAccount.annotations": _TEXTS,
    "podMonitor.labels": _TEXTS,
    "prometheusRule.labels": _TEXTS,
    "affinity": _FREE,
    "resources": _FREE,
    "tolerations": _OBJECTS,
    "extraEnv": _OBJECTS,
    "extraVolumes": _OBJECTS,
    "extraVolumeMounts": _OBJECTS,
    "imagePullSecrets": {"type": "array", "items": {"type": "string"}},
    "image.pullPolicy": {"enum": ["", "Always", "IfNotPresent", "Never"]},
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "replicas": {"type": "integer", "minimum": 0},
    "keda.minReplicas": {"type": "integer", "minimum": 1},
}
_INTRODUCTION: Final = """# Trailstream's Helm chart

The same objects as [the Kustomize base](../../kubernetes/README.md), by test; take whichever you know better.

```sh
kubectl create namespace trailstream
kubectl label namespace trailstream pod-security.kubernetes.io/enforce=restricted
kubectl -n trailstream create secret generic trailstream --from-file=slack-webhook-url=./slack-webhook-url
helm install trailstream deploy/helm/trailstream -n trailstream -f values.yaml
helm test trailstream -n trailstream --logs   # identity, queue, buckets, channels: what is missing
```

```yaml
# values.yaml
image: {repository: REGISTRY/trailstream, digest: "sha256:…"}
settings:
  TRAILSTREAM_QUEUE_URL: https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream
  TRAILSTREAM_BUCKETS: acme-cloudtrail
  TRAILSTREAM_LEDGER: dynamodb://trailstream
secretFiles:
  TRAILSTREAM_SLACK_WEBHOOK_URL: slack-webhook-url   # a key of the Secret
keda: {enabled: true}
podMonitor: {enabled: true}
prometheusRule: {enabled: true}
networkPolicy: {enabled: true}
```

A variable that nobody knows, or a secret among `settings`, is refused by the chart's schema. A setting whose value
can't be used stops the rollout in the init container `check`.

## Argo CD

```yaml
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: trailstream, namespace: argocd}
spec:
  project: default
  destination: {server: https://kubernetes.default.svc, namespace: trailstream}
  source:
    repoURL: YOUR_COPY_OF_THIS_REPOSITORY
    path: deploy/helm/trailstream
    targetRevision: main
    helm: {releaseName: trailstream, valueFiles: [values.yaml, YOUR_VALUES.yaml]}
  syncPolicy: {automated: {prune: true, selfHeal: true}}
```

With `keda.enabled` the Deployment has no `replicas`, so nothing quarrels. The CRDs of KEDA and of the Prometheus
Operator have to be there before.

## Values

"""


@dataclass(frozen=True)
class Value:
    """One value of the chart.

    Attributes:
        path: its keys, joined by dots.
        default: what it is if nothing is said.
        meaning: its comment.
    """

    path: str
    default: Any
    meaning: str


def values() -> list[Value]:
    """Every value that has a comment, in the order of the file."""
    text = (CHART / "values.yaml").read_text()
    defaults, found, parent, meaning = yaml.safe_load(text), [], "", ""
    for line in text.splitlines():
        if comment := re.fullmatch(r" *# -- (.+)", line):
            meaning = comment[1]
        elif key := re.match(r"( *)(\w+):", line):
            path = f"{parent}.{key[2]}" if key[1] and parent else key[2]
            if not key[1]:
                parent = key[2]
            if meaning:
                default = defaults
                for step in path.split("."):
                    default = default[step]
                found.append(Value(path, default, meaning))
                meaning = ""
    return found


def variables() -> list[dict[str, Any]]:
    """What `trailstream env` says."""
    listed: list[dict[str, Any]] = json.loads(invoke("env", "--format", "json").out)
    return listed


def schema() -> dict[str, Any]:
    """JSON Schema of the values."""
    properties: dict[str, Any] = {}
    for value in values():
        place, steps = properties, value.path.split(".")
        for step in steps[:-1]:
            group = place.setdefault(step, {"type": "object", "additionalProperties": False, "properties": {}})
            place = group["properties"]
        place[steps[-1]] = {"description": value.meaning, **_schema_of(value)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": properties | {"global": {"type": "object", "description": "Helm's own."}},
    }


def _schema_of(value: Value) -> dict[str, Any]:
    secret = [each["name"] for each in variables() if each["secret"]]
    if value.path == "settings":
        plain = {
            each["name"]: {**_SCALARS, "description": each["meaning"]}
            for each in variables()
            if each["name"] not in secret
        }
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": plain
            | {f"{name}_FILE": {"type": "string"} for name in secret}
            | dict.fromkeys(("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), False),
            "patternProperties": {"^AWS_[A-Z0-9_]+$": _SCALARS, "^(HTTPS?|NO)_PROXY$": {"type": "string"}},
        }
    if value.path == "secretFiles":
        key = {"type": "string", "pattern": "^[-._a-zA-Z0-9]+$"}
        return {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(secret, key)}
    if value.path in _SPECIAL:
        return _SPECIAL[value.path]
    kind = {bool: "boolean", int: "integer", str: "string"}[type(value.default)]
    return {"type": kind}


def readme() -> str:
    """The chart's README."""
    return _INTRODUCTION + "\n".join(_rows()) + "\n"


def _rows() -> Iterator[str]:
    yield "| value | default | meaning |"
    yield "| --- | --- | --- |"
    for value in values():
        meaning = value.meaning.replace("|", "\\|")
        yield f"| `{value.path}` | `{json.dumps(value.default)}` | {meaning} |"


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
    README.write_text(readme())
