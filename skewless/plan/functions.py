"""Spark's functions that no expression over one row may call, and what to write in their place."""

from __future__ import annotations

import re

from skewless import agg


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


AGGREGATES = _names(
    """
    any any_value approx_count_distinct approx_percentile approx_top_k approx_top_k_accumulate
    approx_top_k_combine array_agg avg bit_and bit_or bit_xor bitmap_and_agg bitmap_construct_agg
    bitmap_or_agg bool_and bool_or collect_list collect_set corr count count_if count_min_sketch covar_pop
    covar_samp every first first_value grouping grouping_id histogram_numeric hll_sketch_agg hll_union_agg
    kll_merge_agg_bigint kll_merge_agg_double kll_merge_agg_float kll_sketch_agg_bigint kll_sketch_agg_double
    kll_sketch_agg_float kurtosis last last_value listagg max max_by mean median min min_by mode percentile
    percentile_approx percentile_cont percentile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2
    regr_slope regr_sxx regr_sxy regr_syy skewness some std stddev stddev_pop stddev_samp string_agg sum
    theta_intersection_agg theta_sketch_agg theta_union_agg try_avg try_sum var_pop var_samp variance
    """
)
WINDOWS = _names(
    """
    cume_dist dense_rank lag lead nth_value ntile percent_rank rank row_number session_window window
    window_time
    """
)
GENERATORS = _names("explode explode_outer inline inline_outer json_tuple posexplode posexplode_outer stack")
CLOCK = _names("curdate current_date current_time current_timestamp current_timezone localtimestamp now")
SURROUNDINGS = _names(
    """
    current_catalog current_database current_schema current_user input_file_block_length
    input_file_block_start input_file_name java_method monotonically_increasing_id reflect session_user
    spark_partition_id try_reflect user version
    """
)
RANDOM = _names("aes_encrypt rand randn random randstr shuffle uniform uuid")

# Spark calls these without parentheses where the source has no column of that name.
BARE = _names("current_date current_time current_timestamp current_user localtimestamp session_user")
# Without an argument these read the clock.
CLOCK_WHEN_EMPTY = _names("unix_timestamp")
# Spark reads these words, with or without a zone, off the clock where it casts them to a date or timestamp.
CLOCK_WORD = re.compile(r"\s*(now|today|yesterday|tomorrow)(?![a-z])\s*[\w+:/-]*\s*", re.IGNORECASE)

_SYNONYMS = agg.SYNONYMS | {
    "count_if": "count",
    "any_value": "last",
    "percentile_approx": "quantile",
    "percentile_cont": "quantile",
    "approx_percentile": "quantile",
}


def advice(name: str) -> str | None:
    """Why an expression may not call the function of that lower-case name; None if it may."""
    if name in AGGREGATES:
        return f"calls {name}(), which reads many rows; use {_instead_of(name)}"
    if name in WINDOWS:
        return f"calls {name}(), which reads many rows; use an aggregate from agg with its window="
    if name in GENERATORS:
        return f"calls {name}(), which makes several rows of one; use array functions, e.g. transform"
    if name in CLOCK:
        return of_clock(f"calls {name}()")
    if name in SURROUNDINGS:
        return f"calls {name}(), which depends on where and by whom it runs; use only the source's columns"
    if name in RANDOM:
        return f"calls {name}(), which differs each time; use e.g. xxhash64 of the source's columns"
    if name == "identifier":
        return "calls identifier(), which hides the column that it reads; name the column itself"
    return None


def of_clock(what: str) -> str:
    """The clock is not the snapshot's time, so a rebuilt snapshot would differ."""
    return f"{what}, which reads the clock; use the source's timestamps, or an aggregate's window"


def _instead_of(name: str) -> str:
    nearest = _SYNONYMS.get(name, name.removeprefix("try_").removesuffix("_value"))
    return f"value=agg.{nearest}(..., window=...)" if hasattr(agg, nearest) else "an aggregate from agg"
