"""What makes `golden/online/store.json`: what a server holds, for the cases that bind every reader.

The bytes are packed here by the MessagePack specification alone, with nothing of the package, so that a mistake there
cannot hide here. `python -m tests.golden_cases` writes the file.
"""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple

NAMESPACE = "golden"
FLIP, TIME = 1_700_000_500_000_000, 1_700_000_000_000_000
Named = dict[str, str]


class Typed(NamedTuple):
    """A value of a kind that JSON lacks: `float32` and `float64` by their bits, `bytes` in hex, a `timestamp`."""

    kind: str
    content: Any


def f32(value: float) -> Typed:
    return Typed("float32", struct.pack(">f", value).hex())


def f64(value: float) -> Typed:
    return Typed("float64", struct.pack(">d", value).hex())


# -- MessagePack ------------------------------------------------------------------------------------------


def packed(value: Any) -> bytes:
    """In the one encoding that writers use."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return b"\xd3" + value.to_bytes(8, "big", signed=True)
    if isinstance(value, str):
        return _headed(value.encode(), 0xA0, 31, 0xD9)
    if isinstance(value, Typed):
        return _typed(value)
    return _counted(len(value)) + b"".join(map(packed, value))


def _typed(value: Typed) -> bytes:
    if value.kind == "timestamp":
        return packed(value.content)
    raw = bytes.fromhex(value.content)
    if value.kind == "bytes":
        return _headed(raw, 0, -1, 0xC4)
    return {"float32": b"\xca", "float64": b"\xcb", "raw": b""}[value.kind] + raw


def _headed(raw: bytes, fix: int, most: int, first: int) -> bytes:
    if len(raw) <= most:
        return bytes([fix | len(raw)]) + raw
    if len(raw) < 256:
        return bytes([first, len(raw)]) + raw
    return bytes([first + 1]) + len(raw).to_bytes(2, "big") + raw


def _counted(count: int) -> bytes:
    return bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")


_FLAT = {"bool": ">?", "int32": ">i", "int64": ">q", "timestamp": ">q"}


def flat(values: list[Any], dtypes: list[str]) -> Typed:
    """A row without nulls, of dtypes of one width: the values side by side, as a binary."""
    plain = [value.content if isinstance(value, Typed) else value for value in values]
    raws = [
        bytes.fromhex(value) if dtype.startswith("float") else struct.pack(_FLAT[dtype], value)
        for value, dtype in zip(plain, dtypes, strict=True)
    ]
    return Typed("bytes", b"".join(raws).hex())


# -- what the server holds --------------------------------------------------------------------------------


def generation(number: int) -> Typed:
    """In the slots of an entity."""
    return Typed("raw", "ce" + number.to_bytes(4, "big").hex())


class View:
    """The keys of one view, as entries of the store; generation 5 is live in epoch 3, unless told otherwise."""

    def __init__(self, name: str, keys: Named, fields: Named, absent: Any, expired: Any) -> None:
        self.tag = f"{{{NAMESPACE}:{name}}}:"
        self.entries: dict[str, bytes] = {}
        self.put("p", packed([1, FLIP, 5, 3, TIME]))
        self.put("a", packed(FLIP))
        described = [[list(pair) for pair in named.items()] for named in (keys, fields)]
        self.meta: list[Any] = [1, "fingerprint", *described, absent, expired]
        self.put("m:3", packed(self.meta))

    def put(self, key: str, raw: bytes) -> None:
        self.entries[self.tag + key] = raw

    def entity(self, key: str, newest: int, row: Any, earlier: int, earlier_row: Any) -> None:
        self.put(f"3:{key}", packed([generation(newest), row, generation(earlier), earlier_row]))


SCALARS = {
    "flag": "bool",
    "small": "int32",
    "big": "int64",
    "ratio": "float32",
    "exact": "float64",
    "word": "string",
    "raw": "bytes",
    "at": "timestamp",
}
ALL = SCALARS | {f"{name}s": f"array<{dtype}>" for name, dtype in SCALARS.items()}
PLAIN = [True, 7, -8, f32(0.1), f64(0.1), "caf\u00e9", Typed("bytes", "00ff"), Typed("timestamp", TIME)]
LEAST = [
    False,
    -(2**31),
    -(2**63),
    Typed("float32", "80000000"),
    Typed("float64", "8000000000000000"),
    "",
    Typed("bytes", ""),
    Typed("timestamp", -1),
]
MOST = [
    True,
    2**31 - 1,
    2**63 - 1,
    Typed("float32", "7fc00000"),
    Typed("float64", "7ff8000000000000"),
    "x" * 300,
    Typed("bytes", "ab" * 300),
    Typed("timestamp", 253402300799999999),
]
ODD = [
    False,
    0,
    2**53 + 1,
    Typed("float32", "00000001"),
    Typed("float64", "fff0000000000000"),
    "|%\n\u0000\U0001f600",
    Typed("bytes", "c1"),
    Typed("timestamp", 0),
]
ROWS: dict[str, list[Any]] = {
    "plain": PLAIN + [[value] for value in PLAIN],
    "nulls": [None] * 16,
    "least": LEAST + [[] for _ in LEAST],
    "most": MOST + [[value, None] * 10 for value in MOST],
    "odd": ODD + [[None, value, other] for value, other in zip(ODD, LEAST, strict=True)],
    "absent": [None, 0, *[None] * 14],
    "expired": [None, -1, *[None] * 14],
}
LOOSE = "94 05 dc0010 c3 07 f8 ca3dcccccd cb3fb999999999999a d905636166c3a9 c5000200ff d300060a24181e4000".replace(
    " ", ""
)


def everything() -> View:
    """Every dtype, every state of an entity, and what does not parse."""
    view = View("all", {"user_id": "integer"}, ALL, ROWS["absent"], ROWS["expired"])
    plain, odd = ROWS["plain"], ROWS["odd"]
    for key, name in (
        ("1", "plain"),
        ("2", "nulls"),
        ("3", "least"),
        ("-4", "most"),
        ("9223372036854775807", "odd"),
    ):
        view.entity(key, 5, ROWS[name], 0, None)
    view.entity("11", 3, plain, 0, None)
    view.entity("12", 6, odd, 5, plain)
    view.entity("13", 6, odd, 0, None)
    view.entity("14", 5, None, 4, plain)
    view.entity("15", 6, None, 4, plain)
    view.entity("16", 5, odd, 4, plain)
    loose = bytes.fromhex(LOOSE) + b"".join(packed([value]) for value in PLAIN) + b"\x00\xc0"
    view.put("3:17", loose)
    whole = packed([generation(5), plain, generation(0), None])
    view.put("3:91", whole[: len(whole) // 2])
    view.put("3:92", packed("a text"))
    view.entity("93", 5, plain[:-1], 0, None)
    view.entity("94", 5, ["a text", *plain[1:]], 0, None)
    view.entity("95", 5, [*plain[:3], "a text", *plain[4:]], 0, None)
    view.put("3:96", b"")
    view.entity("97", 5, [plain[0], 2**31, *plain[2:]], 0, None)
    view.entity("98", 5, [*plain[:5], Typed("raw", "a2c328"), *plain[6:]], 0, None)
    view.entity("99", 5, Typed("bytes", "00" * 16), 0, None)  # a row with texts is never flat
    return view


NUMBERS = {name: dtype for name, dtype in SCALARS.items() if dtype not in ("string", "bytes")}
NUMBER_ROWS = {
    name: [value for value, dtype in zip(row, ALL.values(), strict=True) if dtype in NUMBERS.values()]
    for name, row in ROWS.items()
}


def numbers() -> View:
    """Dtypes of one width, whose rows are flat unless there is a null; and what does not parse."""
    view = View("numbers", {"user_id": "integer"}, NUMBERS, NUMBER_ROWS["absent"], NUMBER_ROWS["expired"])
    rows, dtypes = NUMBER_ROWS, [*NUMBERS.values()]
    packed_flat = {name: flat(rows[name], dtypes) for name in ("plain", "least", "most", "odd")}
    plain, odd = packed_flat["plain"], packed_flat["odd"]
    for key, name in (("1", "plain"), ("3", "least"), ("-4", "most"), ("9223372036854775807", "odd")):
        view.entity(key, 5, packed_flat[name], 0, None)
    view.entity("2", 5, rows["nulls"], 0, None)
    view.entity("12", 6, odd, 5, plain)
    view.entity("14", 5, None, 4, plain)
    view.entity("16", 5, odd, 4, plain)
    view.entity("17", 5, rows["plain"], 0, None)  # an array, though it might be flat
    view.entity("18", 6, rows["nulls"], 5, plain)
    view.entity("19", 5, Typed("bytes", "02" + plain.content[2:]), 0, None)  # true as any byte but 00
    view.entity("20", 5, Typed("raw", f"c500{len(plain.content) // 2:02x}{plain.content}"), 0, None)
    view.entity("91", 5, Typed("bytes", plain.content[:-2]), 0, None)
    view.entity("92", 5, Typed("bytes", plain.content + "00"), 0, None)
    view.entity("93", 5, Typed("bytes", ""), 0, None)
    view.entity("94", 5, Typed("raw", f"d9{len(plain.content) // 2:02x}{plain.content}"), 0, None)
    return view


TEXTS = ["", "a|b", "100%", "%7C", "x\ny", "\u0000\u007f", "M\u00fcller \U0001f600", "{golden:all}:1*"]
ESCAPED = ["", "a%7Cb", "100%25", "%257C", "x%0Ay", "%00%7F", "M\u00fcller \U0001f600", "{golden:all}:1*"]


def texts() -> View:
    view = View("texts", {"name": "string"}, {"place": "int64"}, [-1], [-2])
    for place, key in enumerate(ESCAPED):
        view.entity(key, 5, [place], 0, None)
    return view


def pairs() -> View:
    view = View(
        "pairs",
        {"origin": "string", "day": "integer"},
        {"price": "float64", "seats": "int32"},
        [None] * 2,
        [None] * 2,
    )
    view.entity("a%7Cb|-7", 5, flat([f64(1.5), 3], ["float64", "int32"]), 0, None)
    view.entity("|0", 5, flat([f64(4.5), 4], ["float64", "int32"]), 0, None)  # of no text, which is no null
    view.entity("JFK|0", 5, [f64(2.5), None], 0, None)
    view.entity("LGA|0", 5, flat([f64(3.5), 9], ["float64", "int32"]), 0, None)
    return view


def small(name: str, **changes: bytes) -> View:
    """A view of one field and one entity, where some keys have other bytes; empty bytes: no such key."""
    absent, expired, score = (flat([f32(value)], ["float32"]) for value in (0.0, -1.0, 0.5))
    view = View(name, {"user_id": "integer"}, {"score": "float32"}, absent, expired)
    view.entity("1", 5, score, 0, None)
    for key, raw in changes.items():
        view.put({"pointer": "p", "alive": "a", "meta": "m:3"}[key], raw)
    view.entries = {key: raw for key, raw in view.entries.items() if raw}
    return view


def views() -> list[View]:
    plain = small("plain")
    fields = [["score", "float32"]]
    keys = [["user_id", "integer"]]
    rows = [[f32(0.0)], [f32(-1.0)]]
    return [
        everything(),
        numbers(),
        texts(),
        pairs(),
        plain,
        small("expired", alive=b""),
        small("outlived", alive=packed(FLIP - 1)),
        small("unsigned", alive=b"\xcf" + FLIP.to_bytes(8, "big")),
        small("torn_alive", alive=packed("a text")),
        small("longer", pointer=packed([1, FLIP, 5, 3, TIME, "more"]), meta=packed([*plain.meta, ["more"]])),
        small("newer_pointer", pointer=packed([2, "whatever"])),
        small("newer_meta", meta=packed([2, "whatever"])),
        small("torn_pointer", pointer=b"\xc1\x00"),
        small("short_pointer", pointer=packed([1, FLIP])),
        small("torn_meta", meta=packed(plain.meta)[:30]),
        small("text_absent", meta=packed([*plain.meta[:4], "PwAAAA==", plain.meta[5]])),
        small("torn_absent", meta=packed([*plain.meta[:4], Typed("bytes", "00"), plain.meta[5]])),
        small("no_meta", meta=b""),
        small("no_pointer", pointer=b""),
        small("new_dtype", meta=packed([1, "f", keys, [["score", "decimal"]], *rows])),
        small("new_kind", meta=packed([1, "f", [["user_id", "uuid"]], fields, *rows])),
    ]


SERVICES: dict[str, Any] = {
    "scores": ["plain:score", "all:word"],
    "trip": [
        "pairs:price",
        ["from:price", "pairs:price", "origin", "origin", "day", "day"],
        ["to:price", "pairs:price", "origin", "dest", "day", "day"],
        ["to:seats", "pairs:seats", "origin", "dest", "day", "day"],
    ],
    "torn": "a text",
    "torn_alias": ["plain:score", ["from:score"]],
    "half_pair": [["from:score", "plain:score", "user_id"]],
    "twice": [["from:price", "pairs:price", "origin", "origin", "origin", "dest", "day", "day"]],
    "no_colon": ["score"],
    "no_name": ["9plain:score"],
    "other_key": [["from:score", "plain:score", "merchant_id", "payee"]],
    "other_field": [["from:price", "pairs:seats", "origin", "dest", "day", "day"]],
    "other_from": [["from:price", "pairs:price", "origin", "via", "day", "day"]],
}


def store() -> dict[str, Any]:
    """The whole content of the server, in hex."""
    entries = [(key, raw) for view in views() for key, raw in view.entries.items()]
    entries += [(f"{NAMESPACE}:service:{name}", packed(features)) for name, features in SERVICES.items()]
    return {
        "about": "What a server holds, for the cases: SET each key to the bytes. Made by tests/golden_store.py.",
        "namespace": NAMESPACE,
        "entries": [{"key": key, "hex": raw.hex()} for key, raw in entries],
    }


def text_of(content: dict[str, Any]) -> str:
    """As it stands in the file: an item of the list a line."""
    (name, items), *_ = [(name, items) for name, items in content.items() if isinstance(items, list)]
    heads = [f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in content.items() if key != name]
    lines = ",\n".join(f"    {json.dumps(tagged(item))}" for item in items)
    return "{\n" + "".join(heads) + f"  {json.dumps(name)}: [\n{lines}\n  ]\n}}\n"


def tagged(value: Any) -> Any:
    """In JSON's own types."""
    if isinstance(value, Typed):
        return {value.kind: value.content}
    if isinstance(value, dict):
        return {name: tagged(item) for name, item in value.items()}
    return [tagged(item) for item in value] if isinstance(value, list) else value
