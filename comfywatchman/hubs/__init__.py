"""Hubs: sites that publish models, each behind one protocol."""
