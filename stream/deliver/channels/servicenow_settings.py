"""The variables of the channel `servicenow`, and what they may hold."""

import re
from typing import Annotated, Final, Self

import orjson
from pydantic import AfterValidator, Field, SecretStr, model_validator

from stream.deliver.channels.tickets import base_url
from stream.settings import PeopleSettings

EVENTS: Final = "em_event"
"""The table that stands for Event Management, which has an API of its own."""

_FIELD: Final = re.compile(r"[a-z][a-z0-9_]{0,79}")
# Set by us for every record, or by ServiceNow itself.
_OURS: Final = {
    "active",
    "correlation_display",
    "correlation_id",
    "description",
    "impact",
    "short_description",
    "urgency",
}


def _table(value: str) -> str:
    if not _FIELD.fullmatch(value):
        raise ValueError("must be a table's name, such as incident: lower-case letters, digits and underscores")
    return value


def _fields(value: str) -> str:
    _parsed(value)
    return value


def _parsed(value: str) -> dict[str, str]:
    """The fields that are set for every record.

    Raises:
        ValueError: the text is not a JSON object of texts, or names a field that is ours.
    """
    if not value:
        return {}
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(text, str) for text in fields.values()):
        raise ValueError('must be a JSON object of texts, such as {"assignment_group": "Security", "category": "x"}')
    if odd := [name for name in fields if not _FIELD.fullmatch(name)]:
        raise ValueError(f"{odd[0][:80]!r} is no name of a field")
    if ours := sorted(_OURS & fields.keys()):
        raise ValueError(f"{ours[0]} is set by Trailstream itself")
    return fields


class ServicenowSettings(PeopleSettings):
    """Variables of the channel `servicenow`."""

    env_prefix = "TRAILSTREAM_SERVICENOW_"

    url: Annotated[str | None, AfterValidator(base_url)] = Field(
        None, description="Address of the ServiceNow instance (https://<instance>.service-now.com)."
    )
    username: str | None = Field(
        None, description="User who may read, create and update records of the table (itil; evt_mgmt_integration)."
    )
    password: SecretStr | None = Field(None, description="Password of that user.")
    token: SecretStr | None = Field(None, description="OAuth access token, instead of user name and password.")
    table: Annotated[str, AfterValidator(_table)] = Field(
        "incident",
        description="Table of the records: one that extends Task; or em_event, to post events to Event Management.",
    )
    fields: Annotated[str, AfterValidator(_fields)] = Field(
        "",
        description='More fields of each new record as a JSON object of texts: {"assignment_group": "…"}. For events '
        "they go into the additional information.",
    )

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        if self.url is None or self.token is not None:
            return self
        if not self.username or self.password is None:
            raise ValueError(
                "TRAILSTREAM_SERVICENOW_URL: it takes TRAILSTREAM_SERVICENOW_USERNAME and "
                "TRAILSTREAM_SERVICENOW_PASSWORD as well, or TRAILSTREAM_SERVICENOW_TOKEN"
            )
        if ":" in self.username:
            raise ValueError("TRAILSTREAM_SERVICENOW_USERNAME: a user name has no colon")
        return self

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_SERVICENOW_URL` is set."""
        return self.url is not None

    @property
    def more_fields(self) -> dict[str, str]:
        """What `TRAILSTREAM_SERVICENOW_FIELDS` holds."""
        return _parsed(self.fields)
