"""Trailstream: alerts people when somebody changes an AWS account's audit trail."""

__version__ = "0.1.0"
"""Read by the build as well; asking the installed package costs 40 ms at every start."""
