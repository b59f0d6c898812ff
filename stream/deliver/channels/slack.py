"""Slack: the alert as a message of blocks, by an incoming webhook or a bot's token, which makes a thread an incident.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
https://docs.slack.dev/reference/methods/chat.postMessage (which has no documented key against duplicates:
https://github.com/slackapi/slack-api-specs/issues/10)
"""

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Self
from weakref import WeakValueDictionary

import orjson
from pydantic import AfterValidator, Field, SecretStr, model_validator

from stream.alert import Alert
from stream.deliver.channel import Accepted, Answer, PeopleChannel
from stream.deliver.channels.slack_answers import NO_THREAD, api_answer, webhook_answer
from stream.deliver.channels.slack_blocks import MAX_HEADLINE, MAX_SECTION, MRKDWN, PLAIN, blocks
from stream.deliver.group import Group
from stream.deliver.http import HttpChannel, Reply
from stream.deliver.threads import Threads
from stream.deliver.trail import incident_key, trail_arn
from stream.settings import PeopleSettings
from stream.urls import http_url

if TYPE_CHECKING:
    from stream.aws import Aws

_MAX_TEXT: Final = 2800  # with the headline; Slack cuts at 40,000 and recommends 4,000
_MAX_REPLY_BYTES: Final = 512 * 1024  # the API answers with the whole message
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}


def _token(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("must be a bot token, which begins with xoxb-")
    return value


def _channel(value: str | None) -> str | None:
    if value is not None and not (value.isprintable() and re.fullmatch(r"#?[^\s#,]{1,80}", value)):
        raise ValueError("must be one channel's id (such as C0123456789) or name")
    return value


def _api(value: str) -> str:
    return (http_url(SecretStr(value)) or SecretStr("")).get_secret_value().rstrip("/")


class SlackSettings(PeopleSettings):
    """Variables of the channel `slack`."""

    env_prefix = "TRAILSTREAM_SLACK_"

    webhook_url: Annotated[SecretStr | None, AfterValidator(http_url)] = Field(
        None, description="URL of a Slack incoming webhook (https://hooks.slack.com/services/…)."
    )
    bot_token: Annotated[SecretStr | None, AfterValidator(_token)] = Field(
        None,
        description="Token of a bot (xoxb-…, with the scope `chat:write`) in place of a webhook: alerts about one "
        "trail then share a thread. Needs `TRAILSTREAM_SLACK_CHANNEL`, into which the bot was invited.",
    )
    channel: Annotated[str | None, AfterValidator(_channel)] = Field(
        None, description="Channel that the bot posts to: its id (C0123456789), or its name if it is public."
    )
    api_url: Annotated[str, AfterValidator(_api)] = Field(
        "https://slack.com/api", description="Base URL of Slack's Web API; GovSlack: https://slack-gov.com/api."
    )
    rate: float = Field(
        1.0,
        ge=0,
        description="Messages a second in the long run (Slack allows about one); a short burst goes at once. 0: no "
        "limit of ours.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.webhook_url is not None and self.bot_token is not None:
            raise ValueError(
                "TRAILSTREAM_SLACK_WEBHOOK_URL: TRAILSTREAM_SLACK_BOT_TOKEN is set as well; keep one of them"
            )
        if self.bot_token is not None and self.channel is None:
            raise ValueError(
                "TRAILSTREAM_SLACK_CHANNEL is required with TRAILSTREAM_SLACK_BOT_TOKEN: the id or name of the channel "
                "that the bot posts to"
            )
        if self.channel is not None and self.bot_token is None:
            raise ValueError(
                "TRAILSTREAM_SLACK_CHANNEL is of no use without TRAILSTREAM_SLACK_BOT_TOKEN: a webhook has a channel "
                "of its own"
            )
        return self

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_SLACK_WEBHOOK_URL` is set, or `_BOT_TOKEN`."""
        return self.webhook_url is not None or self.bot_token is not None


class SlackChannel(HttpChannel, PeopleChannel):
    """Posts each alert to one channel of Slack's."""

    kind = "slack"
    section = SlackSettings
    example = (("bot_token", "xoxb-placeholder-for-a-token"), ("channel", "C0123456789"))
    burst = 30
    settings: SlackSettings

    def __init__(self, settings: SlackSettings, *, name: str | None = None, aws: "Aws | None" = None) -> None:
        super().__init__(settings, name=name, aws=aws)
        self._threads = Threads()
        self._beginning: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Post one message; see `PeopleChannel.tell`."""
        message = self.message(alert, group, minimal=minimal)
        if self.settings.bot_token is None:
            return await self.request(self._webhook, orjson.dumps(message), _JSON)
        message["channel"] = self.settings.channel
        if trail_arn(alert) is None or (group is not None and group.late):
            answer, _, _ = await self._call("chat.postMessage", message)
            return answer
        return await self._join(alert, message)

    def message(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> dict[str, Any]:
        """The message in blocks, with a text for notifications and screen readers; the minimal one is that text."""
        plain = self.words(alert, group, PLAIN, headline=MAX_HEADLINE, text=_MAX_TEXT - MAX_HEADLINE)
        envelope = {
            "text": f"{plain.headline}\n{plain.text}".strip(),
            "mrkdwn": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if minimal:
            return envelope
        said = self.words(alert, group, MRKDWN, headline=MAX_HEADLINE, text=MAX_SECTION)
        return envelope | {"blocks": blocks(alert, group, said)}

    async def _join(self, alert: Alert, message: dict[str, Any]) -> Answer:
        """Post to the incident's thread; where there is none, or no more, begin one."""
        incident = incident_key(alert)
        # Two alerts at once must not each begin one.
        async with self._beginning.setdefault(incident, asyncio.Lock()):
            first = self._threads.first(incident)
            if first is not None:
                seen = {"reply_broadcast": True} if alert.severity in ("high", "critical") else {}
                answer, error, _ = await self._call("chat.postMessage", message | {"thread_ts": first} | seen)
                if error not in NO_THREAD:
                    return answer
                self._threads.forget(incident)
            answer, _, ts = await self._call("chat.postMessage", message)
            if ts is not None:
                self._threads.begin(incident, ts)
            return answer

    async def _call(self, method: str, arguments: dict[str, Any]) -> tuple[Answer, str | None, str | None]:
        """Call the Web API; see `api_answer`."""
        token = (self.settings.bot_token or SecretStr("")).get_secret_value()
        url = SecretStr(f"{self.settings.api_url}/{method}")
        headers = {**_JSON, "Authorization": f"Bearer {token}"}
        reply = await self.exchange(url, orjson.dumps(arguments), headers, max_bytes=_MAX_REPLY_BYTES)
        if not isinstance(reply, Reply):
            return reply, None, None
        return (Accepted(), None, None) if self.rehearsal is not None else api_answer(reply)

    async def probe(self) -> Answer:
        """See `Channel.probe`; of a token it is asked whether it is one."""
        if self.settings.bot_token is None:
            return await self.reach(self._webhook)
        answer, _, _ = await self._call("auth.test", {})
        return answer

    def judge(self, reply: Reply) -> Answer:
        """Classify what a webhook answers."""
        return webhook_answer(reply)

    @property
    def _webhook(self) -> SecretStr:
        return self.settings.webhook_url or SecretStr("")
