"""Lookups over HTTP: the asyncio reader behind a door with limits, tokens and counters."""
