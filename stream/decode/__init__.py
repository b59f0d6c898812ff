"""Bytes of a log file in, records out: no I/O, no asyncio."""

from stream.decode.literals import Literal
from stream.decode.records import LogDecoder, Record
from stream.decode.scan import Prefilter

__all__ = ["Literal", "LogDecoder", "Prefilter", "Record"]
