"""Every other way to blind the audit trail: which events, what they are aimed at, what they mean."""
