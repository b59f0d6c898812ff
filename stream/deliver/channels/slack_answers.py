"""What Slack answers, classified: the words of an incoming webhook, and the error codes of its Web API."""

from collections.abc import Mapping
from typing import Final

import orjson

from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.http import Reply, classify

WEBHOOK_ERRORS: Final[Mapping[str, Answer]] = {
    "invalid_payload": Rejected("payload"),
    "invalid_blocks": Rejected("payload"),
    "invalid_blocks_format": Rejected("payload"),
    "no_text": Rejected("payload"),
    "missing_text_or_fallback_or_attachments": Rejected("payload"),
    "too_many_attachments": Rejected("too_large"),
    "msg_too_long": Rejected("too_large"),
    "no_service": Down("not_found"),
    "no_service_id": Down("not_found"),
    "no_team": Down("not_found"),
    "no_active_hooks": Down("not_found"),
    "channel_not_found": Down("not_found"),
    "user_not_found": Down("not_found"),  # of the webhook's own address, for we name no user
    "invalid_token": Down("unauthorized"),
    "action_prohibited": Down("forbidden"),
    "posting_to_general_channel_denied": Down("forbidden"),
    "team_disabled": Down("forbidden"),
    "channel_is_archived": Down("gone"),
    "rollup_error": Retry("server_error"),
}
"""What an incoming webhook says in the body of its answer; its meaning goes before the status's.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

API_ERRORS: Final[Mapping[str, Answer]] = {
    # The token
    "not_authed": Down("unauthorized"),
    "invalid_auth": Down("unauthorized"),
    "account_inactive": Down("unauthorized"),
    "token_expired": Down("unauthorized"),
    "token_revoked": Down("unauthorized"),
    "not_allowed_token_type": Down("unauthorized"),
    "two_factor_setup_required": Down("unauthorized"),
    # What it may do
    "access_denied": Down("forbidden"),
    "accesslimited": Down("forbidden"),
    "as_user_not_supported": Down("forbidden"),
    "ekm_access_denied": Down("forbidden"),
    "enterprise_is_restricted": Down("forbidden"),
    "messages_tab_disabled": Down("forbidden"),
    "missing_scope": Down("forbidden"),
    "no_permission": Down("forbidden"),
    "not_in_channel": Down("forbidden"),  # the bot has to be invited
    "restricted_action": Down("forbidden"),
    "restricted_action_non_threadable_channel": Down("forbidden"),
    "restricted_action_read_only_channel": Down("forbidden"),
    "restricted_action_thread_locked": Down("forbidden"),
    "restricted_action_thread_only_channel": Down("forbidden"),
    "team_access_not_granted": Down("forbidden"),
    # Where to
    "channel_not_found": Down("not_found"),
    "duplicate_channel_not_found": Down("not_found"),
    "team_not_found": Down("not_found"),  # an org-wide token wants the channel's id, not its name
    "unknown_method": Down("not_found"),
    "channel_is_frozen": Down("gone"),
    "is_archived": Down("gone"),
    "deprecated_endpoint": Down("gone"),
    "method_deprecated": Down("gone"),
    # The message
    "attachment_payload_limit_exceeded": Rejected("too_large"),
    "metadata_too_large": Rejected("too_large"),
    "msg_blocks_too_long": Rejected("too_large"),
    "msg_too_long": Rejected("too_large"),
    "too_many_attachments": Rejected("too_large"),
    "too_many_contact_cards": Rejected("too_large"),
    "cannot_reply_to_message": Rejected("payload"),
    "invalid_blocks": Rejected("payload"),
    "invalid_blocks_format": Rejected("payload"),
    "invalid_metadata_format": Rejected("payload"),
    "invalid_metadata_schema": Rejected("payload"),
    "markdown_text_conflict": Rejected("payload"),
    "no_text": Rejected("payload"),
    "slack_connect_canvas_sharing_blocked": Rejected("payload"),
    "slack_connect_file_link_sharing_blocked": Rejected("payload"),
    "slack_connect_lists_sharing_blocked": Rejected("payload"),
    "thread_not_found": Rejected("payload"),
    "invalid_arg_name": Rejected("bad_request"),
    "invalid_arguments": Rejected("bad_request"),
    "invalid_array_arg": Rejected("bad_request"),
    "invalid_charset": Rejected("bad_request"),
    "invalid_form_data": Rejected("bad_request"),
    "invalid_json": Rejected("bad_request"),
    "invalid_post_type": Rejected("bad_request"),
    "json_not_object": Rejected("bad_request"),
    "missing_post_type": Rejected("bad_request"),
    # The moment
    "message_limit_exceeded": Retry("throttled"),
    "rate_limited": Retry("throttled"),
    "ratelimited": Retry("throttled"),
    "request_timeout": Retry("timeout"),
    "fatal_error": Retry("server_error"),
    "internal_error": Retry("server_error"),
    "org_login_required": Retry("server_error"),  # while the workspace moves
    "service_unavailable": Retry("server_error"),
    "team_added_to_org": Retry("server_error"),
}
"""What the Web API says beside `"ok": false`: https://docs.slack.dev/reference/methods/chat.postMessage#errors."""

NO_THREAD: Final = frozenset(
    {
        "cannot_reply_to_message",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "thread_not_found",
    }
)
"""Those that say that there can be no reply to a message, and nothing against the reply."""


def webhook_answer(reply: Reply) -> Answer:
    """Classify by the word in the body where Slack says one, else by the status."""
    answer = WEBHOOK_ERRORS.get(reply.text.strip()) or _refusal(reply) or classify(reply)
    return patient(answer, reply)


def api_answer(reply: Reply) -> tuple[Answer, str | None, str | None]:
    """Classify by the error's code where there is one, else by the status.

    Returns:
        The answer, the error's code, and the `ts` of the message that was posted.
    """
    try:
        said = orjson.loads(reply.text)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict) and said.get("ok") is True:
        ts = said.get("ts")
        return Accepted(), None, ts if isinstance(ts, str) else None
    if isinstance(said, dict) and said.get("ok") is False:
        code = str(said.get("error"))
        return patient(API_ERRORS.get(code, Rejected("other")), reply), code, None
    answer = classify(reply)
    if isinstance(answer, Accepted):  # 200 is no consent here; a page is somebody else's, half an answer may be none
        answer = Down("other") if reply.text.lstrip().startswith("<") else Retry("other")
    return answer, None, None


def patient(answer: Answer, reply: Reply) -> Answer:
    """The answer with the reply's `Retry-After`, if it is one that waits."""
    if isinstance(answer, Retry) and answer.after_s is None:
        return Retry(answer.reason, reply.retry_after_s)
    return answer


def _refusal(reply: Reply) -> Answer | None:
    """What a 200 says that is none: Slack's own `ok: false`, or somebody else's page."""
    text = reply.text.strip()
    if reply.status != 200 or not text.startswith(("{", "<")):
        return None
    if text.startswith("<"):
        return Down("other")
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or said.get("ok") is not False:
        return None
    return WEBHOOK_ERRORS.get(str(said.get("error")), Rejected("other"))
