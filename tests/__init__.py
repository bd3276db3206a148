"""All tests; their helpers import each other from here."""
