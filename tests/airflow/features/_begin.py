"""When this world begins; the tests write its file anew."""

from datetime import UTC, datetime

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
