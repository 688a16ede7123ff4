"""Consent, watermark, content credentials."""
