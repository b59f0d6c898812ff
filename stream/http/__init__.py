"""HTTP as S3 and SQS need it: requests that are signed here, over connections that are kept."""

from stream.http.client import Client
from stream.http.origin import Http, Origin, Response

__all__ = ["Client", "Http", "Origin", "Response"]
