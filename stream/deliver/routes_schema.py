"""The JSON Schema (draft 2020-12) of a file of routes, for editors: made from the models that read it."""

from typing import Any, Final

from stream.deliver.channels import CHANNELS
from stream.deliver.instances import NAME, keys_of
from stream.deliver.routes_model import RoutesFile
from stream.settings import ChannelSettings
from stream.variables import is_secret, variable_name

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ENV: Final = {
    "type": "object",
    "properties": {"env": {"type": "string", "minLength": 1}},
    "required": ["env"],
    "additionalProperties": False,
    "description": "The value of this environment variable.",
}


def schema() -> dict[str, Any]:
    """The schema, a definition in it for each kind of channel."""
    found = RoutesFile.model_json_schema()
    found["properties"]["channels"] |= {
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in CHANNELS]},
    }
    for kind, channel in CHANNELS.items():
        own = channel.section.model_json_schema(by_alias=False)
        found["$defs"] |= own.get("$defs", {}) | {kind: _channel(kind, channel.section, own["properties"])}
    found["$defs"]["env"] = _ENV
    return {"$schema": _DIALECT, **found, "title": "Trailstream's routes"}


def _channel(kind: str, section: type[ChannelSettings], own: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {"type": {"const": kind, "description": f"A channel of the kind {kind}."}}
    for key in keys_of(section):
        if key in own:
            properties[key] = _value(section, key, own[key])
        else:
            field = key.removesuffix("_file")
            properties[key] = {"type": "string", "minLength": 1, "description": f"Path of a file that holds {field}."}
    return {"type": "object", "properties": properties, "required": ["type"], "additionalProperties": False}


def _value(section: type[ChannelSettings], field: str, own: dict[str, Any]) -> dict[str, Any]:
    """A field's schema in the forms in which a file may have it."""
    info = section.model_fields[field]
    forms = [form for form in own.get("anyOf", [own]) if form.get("type") != "null"]
    described = {"description": _description(section, info.description or "")}
    if "default" in own and own["default"] is not None and not is_secret(info):
        described["default"] = own["default"]
    bare = [{name: part for name, part in form.items() if name not in _NOT_OF_A_FORM} for form in forms]
    if any(form.get("type") == "array" for form in bare):
        bare.append({"type": "string"})  # separated by commas, as in a variable
    return {**described, "anyOf": [*bare, {"$ref": "#/$defs/env"}]}


_NOT_OF_A_FORM: Final = frozenset({"default", "description", "title", "writeOnly", "format"})


def _description(section: type[ChannelSettings], text: str) -> str:
    """The description of a variable, with fields in the place of variables' names."""
    for field in sorted(section.model_fields, key=len, reverse=True):
        text = text.replace(variable_name(section, field), field)
    return text
