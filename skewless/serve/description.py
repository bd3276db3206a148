"""The interface as OpenAPI 3.1, made of the types that decode requests and encode answers."""

from __future__ import annotations

from typing import Any

import msgspec

from skewless.serve.problems import Told
from skewless.serve.question import Question
from skewless.serve.reply import From

_REFERENCE = "#/components/schemas/{name}"
_PROBLEMS = {
    400: "usage: an unknown field, a missing key, a key of another kind, a body that is no question",
    401: "unauthorized: no token, or a wrong one",
    404: "not_published: a view or service of that name is not live",
    405: "about:blank: another method",
    408: "timeout: the body did not come in time",
    413: "too_large: the body, or the features or entities in it",
    500: "internal: a mistake of the server",
    502: "unreadable: what is stored does not parse, or is of a later format",
    503: "unavailable: the online store is away, or too many requests are under way; with Retry-After",
    504: "timeout: the online store gave no answer in time",
}
_EXAMPLES = {
    "entities": {
        "summary": "An object for each entity",
        "value": {
            "features": ["transaction_stats:avg_transactions_1h"],
            "entities": [{"user_id": 7}, {"user_id": 8}],
        },
    },
    "columns": {
        "summary": "A list for each key, and an answer by columns",
        "value": {
            "features": ["transaction_stats:avg_transactions_1h"],
            "entities": {"user_id": [7, 8]},
            "layout": "columns",
        },
    },
    "explained": {
        "summary": "One entity, and what the view was answered from",
        "value": {
            "features": ["transaction_stats:avg_transactions_1h"],
            "entities": {"user_id": 7},
            "explain": True,
        },
    },
}
_VALUE = {
    "description": "A float that is no number is a text: NaN, Infinity, -Infinity. A float32 is the double of the "
    "same value. Bytes are base64, timestamps RFC 3339 with Z."
}


def described(pages: dict[str, Any], path: str) -> dict[str, Any]:
    """Add the way to ask for features to what FastAPI says of the other pages; `path` is where it is."""
    _, schemas = msgspec.json.schema_components([Question, From, Told], ref_template=_REFERENCE)
    components = pages.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas | {"Answer": _answer()})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    pages["paths"] = {path: {"post": _post()}} | pages["paths"]
    return pages


def _post() -> dict[str, Any]:
    refused = {str(code): _response(said, Told.__name__, "problem+json") for code, said in _PROBLEMS.items()}
    return {
        "summary": "Look features up",
        "operationId": "features",
        "security": [{"token": []}, {}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _reference(Question.__name__), "examples": _EXAMPLES}},
        },
        "responses": {"200": _response("The features", "Answer", "json"), **refused},
    }


def _response(description: str, schema: str, kind: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {f"application/{kind}": {"schema": _reference(schema)}},
    }


def _answer() -> dict[str, Any]:
    """One of the layouts, and with `explain` the views."""
    rows = {"type": "object", "additionalProperties": _VALUE}
    columns = {"type": "array", "items": _VALUE}
    return {
        "type": "object",
        "properties": {
            "rows": {
                "type": "array",
                "items": rows,
                "description": "By entity, in their order: what was sent of it, and <view>__<field> for each feature.",
            },
            "columns": {
                "type": "object",
                "additionalProperties": columns,
                "description": "By <view>__<field>: a value for each entity, in their order.",
            },
            "views": {"type": "object", "additionalProperties": _reference(From.__name__)},
        },
        "oneOf": [{"required": ["rows"]}, {"required": ["columns"]}],
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=name)}
