"""Three views of ten numbers each, one row per user and hour: what the joins are measured with."""

from datetime import timedelta

from skewless import DeltaSource, Entity, FeatureView, Field
from skewless.types import Float32

user = Entity(name="user", join_keys=["user_id"])


def numbers(name: str) -> FeatureView:
    """A view whose fields pass the columns f0 to f9 of its source through."""
    source = DeltaSource(name=name, path=f"sources/{name}", timestamp_field="event_timestamp")
    schema = [Field(name=f"f{number}", dtype=Float32) for number in range(10)]
    return FeatureView(
        name=name, entities=[user], source=source, publish_delay=timedelta(minutes=15), schema=schema
    )


view_0, view_1, view_2 = numbers("view_0"), numbers("view_1"), numbers("view_2")
