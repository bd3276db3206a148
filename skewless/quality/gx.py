"""Great Expectations, at the edge: expectations go in with a DataFrame, results come out.

It takes seconds to import, so nothing does before a check, or `skewless validate`, asks.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from skewless.errors import DefinitionError, Problem, did_you_mean
from skewless.model.expectation import Expectation
from skewless.model.origin import located
from skewless.model.service import TrainingSet
from skewless.model.view import FeatureView
from skewless.quality.sentences import claim, counted
from skewless.quality.verdict import CheckResult

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Its median on Spark takes NaN and null for the smallest values.
_BROKEN = {
    "expect_column_quantile_values_to_be_between": "Great Expectations computes quantiles wrongly on Spark"
}


def validate_expectations(view: FeatureView | TrainingSet) -> list[Problem]:
    """Every expectation that Great Expectations does not know or would not take, without any data."""
    with _quiet():
        return [
            located(view, message) for expectation in view.expectations for message in _problems(expectation)
        ]


def gx_results(df: DataFrame, view: FeatureView | TrainingSet) -> list[CheckResult]:
    """Run the expectations of a view or training set on a Spark DataFrame, classic or Connect.

    One result each, in their order. An expectation that Great Expectations cannot evaluate is a failed result that
    says why, never a pass.
    Raises DefinitionError when an expectation is unknown or its arguments are wrong.
    """
    if problems := validate_expectations(view):
        raise DefinitionError(problems)
    found: dict[int, Any] = {}
    if view.expectations:
        with _quiet():
            found = _validated_apart(_batch(df), dict(enumerate(view.expectations)))
    return [_result(item, found.get(position)) for position, item in enumerate(view.expectations)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Great Expectations warns of what is deprecated in itself and in Python: no author can mend that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _batch(df: DataFrame) -> Any:
    """The DataFrame as Great Expectations takes it: nothing cached, nothing sent, nothing printed.

    `persist` must be off: its cache is the Spark server's, outlives the session, and then shows an old table.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_spark("skewless", persist=False).add_dataframe_asset("revision")
    return asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": df})


def _validated_apart(batch: Any, expectations: dict[int, Expectation]) -> dict[int, Any]:
    """All at once; then, as one that raises can take others with it, each that did once more, alone."""
    found = _validated(batch, expectations)
    for position in [position for position, outcome in found.items() if _trouble(outcome)]:
        found |= _validated(batch, {position: expectations[position]})
    return found


def _validated(batch: Any, expectations: dict[int, Expectation]) -> dict[int, Any]:
    """Each expectation's outcome by its position, which travels as meta: results come in another order."""
    import great_expectations as gx

    made = [
        _implementation(item.type)(**{**item.kwargs, "meta": {"position": position}})
        for position, item in expectations.items()
    ]
    outcomes = batch.validate(gx.ExpectationSuite("checks", expectations=made)).results
    return {outcome.expectation_config.meta["position"]: outcome for outcome in outcomes}


def _result(expectation: Expectation, outcome: Any) -> CheckResult:
    """The outcome, read; where there is none, or it tells of an exception, a failure."""
    what = outcome.result if outcome is not None else {}
    trouble = "Great Expectations gave no result" if outcome is None else _trouble(outcome)
    total, unexpected = _counts(what)
    if trouble:
        finding = f"could not be evaluated: {trouble}"
    elif unexpected is not None and total is not None:
        finding = counted(unexpected, total, expectation.kwargs)
    else:
        finding = f"observed {_observed(what) or 'nothing'}"
    return CheckResult(
        expectation=expectation.type,
        sentence=f"{claim(expectation.type, expectation.kwargs)}: {finding}",
        success=bool(outcome is not None and outcome.success and not trouble),
        severity=expectation.severity,
        column=expectation.kwargs.get("column"),
        arguments=json.dumps(expectation.kwargs, default=str, sort_keys=True),
        observed=_observed(what),
        unexpected_count=unexpected,
        total=total,
    )


def _counts(what: dict[str, Any]) -> tuple[int | None, int | None]:
    """How many values were judged (nulls are not), and how many failed; None where nothing was counted."""
    if "element_count" not in what:
        return None, None
    return what["element_count"] - what.get("missing_count", 0), what.get("unexpected_count")


def _observed(what: dict[str, Any]) -> str | None:
    seen = (what.get("observed_value"), what.get("partial_unexpected_list") or None)
    return next((str(value) for value in seen if value is not None), None)


def _trouble(outcome: Any) -> str:
    """What an expectation raised, or nothing; Great Expectations tells it flat, or once for each metric."""
    info = outcome.exception_info or {}
    raised = [
        item for item in (info, *info.values()) if isinstance(item, dict) and item.get("raised_exception")
    ]
    messages = [str(item.get("exception_message") or "an exception without a message") for item in raised]
    return messages[0].strip().splitlines()[0] if messages and messages[0].strip() else ""


def _problems(expectation: Expectation) -> Iterator[str]:
    from pydantic.v1 import ValidationError

    if expectation.type in _BROKEN:
        yield f"{expectation.type}: {_BROKEN[expectation.type]}; bound the values themselves, or their mean"
        return
    implementation = _implementation(expectation.type)
    if implementation is None:
        near = did_you_mean(expectation.type, _known())
        yield f"{expectation.type!r} is no expectation of Great Expectations{near}"
        return
    try:
        implementation(**expectation.kwargs)
    except ValidationError as error:
        first = {str(item["loc"][0]): item for item in reversed(error.errors())}
        for name, item in first.items():
            near = did_you_mean(name, implementation.__fields__) if "extra" in item["type"] else ""
            where = "" if name == "__root__" else f"{name}: "
            yield f"{expectation.type}: {where}{item['msg']}{near}"
    except (TypeError, ValueError) as error:
        yield f"{expectation.type}: {error}"


def _implementation(name: str) -> Any:
    """The expectation's class by its snake_case name; None if there is none."""
    return _known().get(name)


def _known() -> dict[str, Any]:
    from great_expectations import expectations

    classes = [value for name, value in vars(expectations).items() if name.startswith("Expect")]
    return {item.expectation_type: item for item in classes if item.expectation_type}
