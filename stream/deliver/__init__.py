"""Alerts in, acceptances out: the dispatcher, and the channels that it sends through."""
