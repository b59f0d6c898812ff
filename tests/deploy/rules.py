"""The manifest of the Prometheus Operator that has the rules of deploy/prometheus in it.

`python -m tests.deploy.rules` writes it.
"""

from typing import Any, Final

import yaml

from tests.deploy.test_prometheus import FOLDER, RULES

MANIFEST: Final = FOLDER.parent / "kubernetes/components/monitoring/prometheus-rule.yaml"
_HEAD: Final = """# Made of deploy/prometheus/rules by: python -m tests.deploy.rules
"""


class _Literally(yaml.SafeDumper):
    """Keeps texts of several lines readable."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else ">" if len(text) > 90 else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Literally.add_representer(str, _text)


def made() -> str:
    """The manifest's text."""
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    labels = {
        "app.kubernetes.io/name": "trailstream",
        "app.kubernetes.io/instance": "trailstream",
        "release": "kube-prometheus-stack",
    }
    manifest: dict[str, Any] = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "trailstream", "labels": labels},
        "spec": {"groups": groups},
    }
    return _HEAD + yaml.dump(manifest, Dumper=_Literally, sort_keys=False, width=118)


if __name__ == "__main__":
    MANIFEST.write_text(made())
