"""A CloudFormation template in, with parameters; its resources out, as CloudFormation would resolve them.

Only what our templates use of its language, and the ARNs that AWS would give: the emulators know less of either.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
KEY_ID: Final = "1234abcd-12ab-34cd-56ef-1234567890ab"

_PSEUDO: Final = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::StackName": "trailstream",
}
_NO_VALUE: Final = object()
_VARIABLE: Final = re.compile(r"\$\{([\w:.]+)\}")


class _Loader(yaml.SafeLoader):
    """Reads `!Sub x` as `{"Fn::Sub": x}`."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.ScalarNode)
    return {name: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _tagged)


class Template:
    """`Template(path).resources(LogSource="none")`: logical id → resource, those whose condition holds."""

    def __init__(self, path: Path) -> None:
        loaded = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a SafeLoader
        self.parameters: dict[str, dict[str, Any]] = loaded.get("Parameters", {})
        self.declared: dict[str, dict[str, Any]] = loaded["Resources"]
        self.outputs: dict[str, dict[str, Any]] = loaded.get("Outputs", {})
        self._conditions: dict[str, Any] = loaded.get("Conditions", {})

    def resources(self, **parameters: str) -> dict[str, dict[str, Any]]:
        """Resolved, with the defaults of all parameters that are not given."""
        unknown = parameters.keys() - self.parameters.keys()
        assert not unknown, f"no such parameters: {unknown}"
        given = {name: str(each["Default"]) for name, each in self.parameters.items() if "Default" in each} | parameters
        resolved = _Resolved(self._conditions, self.declared, given)
        return {
            name: resolved.value(each)
            for name, each in self.declared.items()
            if "Condition" not in each or resolved.holds({"Condition": each["Condition"]})
        }


class _Resolved:
    def __init__(
        self, conditions: Mapping[str, Any], declared: Mapping[str, Any], parameters: Mapping[str, str]
    ) -> None:
        self._conditions = conditions
        self._declared = declared
        self._names: dict[str, str] = {**_PSEUDO, **parameters}

    def holds(self, condition: Any) -> bool:
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self.holds(self._conditions[argument])
            case "Fn::Equals":
                first, second = argument
                return bool(self.value(first) == self.value(second))
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(map(self.holds, argument))
            case "Fn::Or":
                return any(map(self.holds, argument))
        raise AssertionError(f"no condition of ours: {function}")

    def value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1 and (name := next(iter(node))).partition("::")[0] in ("Fn", "Ref"):
            return self._call(name, node[name])
        values = {
            name: self.value(each) if name != "Condition" else self._condition(each) for name, each in node.items()
        }
        return {name: value for name, value in values.items() if value is not _NO_VALUE}

    def _condition(self, node: Any) -> Any:
        """A resource's names one of the template's; a policy's statement has operators there."""
        return node if isinstance(node, str) else self.value(node)

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return _NO_VALUE if argument == "AWS::NoValue" else self._ref(argument)
            case "Fn::GetAtt":
                return self._attribute(argument)
            case "Fn::If":
                condition, then, otherwise = argument
                return self.value(then if self.holds({"Condition": condition}) else otherwise)
            case "Fn::Join":
                return argument[0].join(self.value(argument[1]))
            case "Fn::Split":
                return self.value(argument[1]).split(argument[0])
            case "Fn::Select":
                return self.value(argument[1])[argument[0]]
            case "Fn::Sub":
                return self._substitute(argument)
        raise AssertionError(f"no function of ours: {function}")

    def _substitute(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self.value(each) for name, each in own.items()}

        def found(match: re.Match[str]) -> str:
            name = match[1]
            if name in values:
                return str(values[name])
            return self._attribute(name) if "." in name else self._ref(name)

        return _VARIABLE.sub(found, text)

    def _ref(self, name: str) -> str:
        if name in self._names:
            return self._names[name]
        resource = self._declared[name]
        match resource["Type"]:
            case "AWS::SQS::Queue":
                return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self._property(name, 'QueueName')}"
            case "AWS::KMS::Key":
                return KEY_ID
            case "AWS::IAM::ManagedPolicy":
                return f"arn:aws:iam::{ACCOUNT}:policy/{self._property(name, 'ManagedPolicyName')}"
            case "AWS::S3::Bucket":
                return self._property(name, "BucketName")
            case "AWS::DynamoDB::Table":
                return self._property(name, "TableName")
            case "AWS::Events::EventBus":
                return self._property(name, "Name")
        raise AssertionError(f"nobody refers to {name}")

    def _attribute(self, path: str) -> str:
        name, _, attribute = path.partition(".")
        kind = self._declared[name]["Type"]
        match kind, attribute:
            case "AWS::SQS::Queue", "Arn":
                return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self._property(name, 'QueueName')}"
            case "AWS::SQS::Queue", "QueueName":
                return self._property(name, "QueueName")
            case "AWS::KMS::Key", "Arn":
                return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}"
            case "AWS::S3::Bucket", "Arn":
                return f"arn:aws:s3:::{self._property(name, 'BucketName')}"
            case "AWS::IAM::Role", "Arn":
                return f"arn:aws:iam::{ACCOUNT}:role/{name}"
        raise AssertionError(f"nobody asks for {path}")

    def _property(self, name: str, of: str) -> str:
        return str(self.value(self._declared[name]["Properties"][of]))
