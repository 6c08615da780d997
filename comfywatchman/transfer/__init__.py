"""Transfers: bytes from a URL to a verified file under its final name."""
