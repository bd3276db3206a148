"""The golden vectors that bind every reader: this one, and a MessagePack library that is not ours."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skewless import types
from skewless.online.codec import encoder, flat_layout, pack_int, row_encoder
from skewless.online.keys import KeyKind, ViewKeys, entity_key, service_key
from skewless.online.records import Meta, Pointer, encode_slots
from skewless.online.services import pack_features
from skewless.online.slots import rows_of
from skewless.timeline import from_micros
from skewless.types import DType
from tests import golden_cases, golden_store

GOLDEN = Path(__file__).parents[1] / "golden" / "online"
KEYS = json.loads((GOLDEN / "keys.json").read_text("utf-8"))
VALUES = json.loads((GOLDEN / "values.json").read_text("utf-8"))


def value_of(vector: dict[str, Any]) -> Any:
    """The Python value that a vector describes."""
    if "bits" in vector:
        raw = bytes.fromhex(vector["bits"])
        return struct.unpack(">f" if len(raw) == 4 else ">d", raw)[0]
    if "repeat" in vector:
        item, times = vector["repeat"]
        return (bytes.fromhex(item) if vector["dtype"] == "bytes" else item) * times
    return meant(types.parse(vector["dtype"]), vector["value"])


def meant(dtype: DType, value: Any) -> Any:
    if isinstance(value, list) and dtype.element is not None:
        return [meant(dtype.element, item) for item in value]
    if value is None or dtype.name not in ("bytes", "timestamp"):
        return value
    return bytes.fromhex(value) if dtype.name == "bytes" else from_micros(value)


def expected_bytes(vector: dict[str, Any]) -> bytes:
    header = bytes.fromhex(vector["hex"])
    if "repeat" not in vector:
        return header
    item, times = vector["repeat"]
    return header + (bytes.fromhex(item) if vector["dtype"] == "bytes" else item.encode()) * times


@pytest.mark.parametrize("vector", VALUES["values"], ids=lambda v: f"{v['dtype']} {v['hex'][:24]}")
def test_a_value_has_one_encoding(vector: dict[str, Any]) -> None:
    value = value_of(vector)
    raw = encoder(types.parse(vector["dtype"]))(value)
    assert raw == expected_bytes(vector)
    read = msgpack.unpackb(raw, raw=False)
    plain = encoder_free(vector)
    assert read == plain or (read != read and plain != plain)


def encoder_free(vector: dict[str, Any]) -> Any:
    """What any MessagePack library must read: timestamps are integers there."""
    if vector["dtype"].endswith("timestamp") or vector["dtype"] == "array<timestamp>":
        return vector["value"]
    return value_of(vector)


def test_every_dtype_has_vectors() -> None:
    named = {vector["dtype"] for vector in VALUES["values"]}
    assert named >= {dtype.name for dtype in types.SCALARS}


@pytest.mark.parametrize("vector", KEYS["entity_keys"], ids=lambda v: repr(v["key"]))
def test_an_entity_key_is_as_written(vector: dict[str, Any]) -> None:
    kinds = [KeyKind(kind) for kind in vector["kinds"]]
    key = entity_key(vector["values"], kinds)
    assert key == vector["key"]
    if "utf8" in vector:
        assert key is not None
        assert key.encode().hex() == vector["utf8"]


@pytest.mark.parametrize("vector", KEYS["view_keys"], ids=lambda v: v["pointer"])
def test_the_keys_of_a_view_are_as_written(vector: dict[str, Any]) -> None:
    keys = ViewKeys(vector["namespace"], vector["view"])
    assert keys.scripted == (vector["pointer"], vector["alive"], vector["state"])
    assert keys.meta(vector["epoch"]) == vector["meta"]
    assert keys.entity(vector["epoch"], vector["entity_key"]) == vector["entity"]
    assert [keys.epoch_of(vector[name]) for name in ("pointer", "meta", "entity")] == [
        None,
        vector["epoch"],
        vector["epoch"],
    ]


def test_the_key_of_a_service_is_as_written() -> None:
    (vector,) = KEYS["service_keys"]
    assert service_key(vector["namespace"], vector["service"]) == vector["key"]


def test_pointer_alive_and_service_are_as_written() -> None:
    (pointer,), (alive,) = VALUES["pointers"], VALUES["alive"]
    time = from_micros(pointer["snapshot_time"])
    written = Pointer(pointer["flip"], pointer["generation"], pointer["epoch"], time)
    assert written.encode() == bytes.fromhex(pointer["hex"])
    assert Pointer.decode(bytes.fromhex(pointer["hex"])) == written
    assert pack_int(alive["flip"]) == bytes.fromhex(alive["hex"])
    for service in VALUES["services"]:
        assert pack_features(service["features"]) == bytes.fromhex(service["hex"])
        assert msgpack.unpackb(bytes.fromhex(service["hex"])) == service["features"]


@pytest.mark.parametrize("vector", VALUES["slots"], ids=lambda v: v["meaning"])
def test_slots_are_as_written(vector: dict[str, Any]) -> None:
    dtypes = [types.parse(name) for name in vector["dtypes"]]
    encode, layout = row_encoder(dtypes), flat_layout(dtypes)
    (newest, row), (earlier, earlier_row) = vector["newest"], vector["earlier"]
    packed = [b"\xc0" if values is None else encode(values) for values in (row, earlier_row)]
    assert encode_slots(newest, packed[0], earlier, packed[1]) == bytes.fromhex(vector["hex"])
    unpacked = msgpack.unpackb(bytes.fromhex(vector["hex"]))
    told = [[*layout.unpack(found)] if isinstance(found, bytes) and layout else found for found in unpacked]
    assert told == [newest, row, earlier, earlier_row]


@pytest.mark.parametrize("vector", VALUES["reads"], ids=lambda v: v["meaning"])
def test_slots_are_read_as_written(vector: dict[str, Any]) -> None:
    slots = VALUES["slots"][vector["slots"]]
    fields = tuple((f"f{number}", types.parse(name)) for number, name in enumerate(slots["dtypes"]))
    meta = Meta("f", (("user_id", KeyKind.INTEGER),), fields, absent := ("absent",), ())
    (row,) = rows_of(meta, vector["generation"], ["a"], [bytes.fromhex(slots["hex"])])
    assert (None if row is absent else list(row)) == vector["row"]


@pytest.mark.parametrize("vector", VALUES["metas"], ids=lambda v: v["fingerprint"])
def test_meta_is_as_written(vector: dict[str, Any]) -> None:
    meta = Meta(
        vector["fingerprint"],
        tuple((name, KeyKind(kind)) for name, kind in vector["keys"]),
        tuple((name, types.parse(dtype)) for name, dtype in vector["fields"]),
        tuple(vector["absent"]),
        tuple(vector["expired"]),
    )
    assert meta.encode() == bytes.fromhex(vector["hex"])
    assert Meta.decode(bytes.fromhex(vector["hex"])) == meta


TEXTS = st.text(alphabet=st.sampled_from("a|%7C\n\0\x7f😀2"), max_size=4)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=2, max_size=2, unique=True))
def test_two_entities_never_share_a_key(pairs: list[tuple[str, str]]) -> None:
    kinds = [KeyKind.STRING, KeyKind.STRING]
    first, second = (entity_key(pair, kinds) for pair in pairs)
    assert first != second
    assert not set(first or "") & {"\n", "\0", "\x7f"}


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text(), st.binary(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.lists(st.floats(width=32)))
def test_any_library_reads_what_we_write(
    text: str, raw: bytes, number: int, real: float, vector: list[float]
) -> None:
    dtypes = [types.String, types.Bytes, types.Int64, types.Float64, types.Array(types.Float32)]
    row = [text, raw, number, real, vector]
    read = msgpack.unpackb(row_encoder(dtypes)(row))
    assert repr(read) == repr(row)


@pytest.mark.parametrize("name", ["store", "cases"])
def test_the_store_and_the_cases_are_as_made(name: str) -> None:
    content = {"store": golden_store.store, "cases": golden_cases.cases}[name]()
    assert (GOLDEN / f"{name}.json").read_text("utf-8") == golden_store.text_of(content)
