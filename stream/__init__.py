"""Trailstream: alerts people when somebody changes an AWS account's audit trail."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("trailstream")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"
