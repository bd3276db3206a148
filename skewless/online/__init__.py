"""The online store: keys and bytes in Redis, one publisher at a time, readers that see one generation."""
