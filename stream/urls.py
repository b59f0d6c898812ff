"""Addresses that are secrets, since whoever knows them may use them."""

from urllib.parse import urlsplit

from pydantic import SecretStr


def http_url(value: SecretStr | None) -> SecretStr | None:
    """Accept an absolute http or https URL.

    Raises:
        ValueError: it is none; the message doesn't show it, for whoever knows the URL of a webhook may use it.
    """
    if value is None:
        return None
    fault = ValueError("must be a URL that begins with https:// (or http://) and names a host")
    url = value.get_secret_value().strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise fault from None
    if not usable or any(character.isspace() or not character.isprintable() for character in url):
        raise fault
    return SecretStr(url)
