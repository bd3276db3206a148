"""The generator of transactions: deterministic, and with everything in it that makes time hard."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from examples.noise import uniform
from examples.transactions import labels, transactions

ANCHOR = datetime(2030, 3, 5, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return transactions(ANCHOR)


@pytest.fixture(scope="module")
def versions(rows: pd.DataFrame) -> pd.DataFrame:
    """Each corrected transaction: what was said first, and what was said last."""
    numbered = rows[rows.transaction_id.notna()].sort_values("created_timestamp")
    groups = numbered[numbered.transaction_id.duplicated(keep=False)].groupby("transaction_id")
    first, last = (groups.nth(place).set_index("transaction_id") for place in (0, -1))
    return first.join(last.add_suffix("_last"))


def test_chance_is_the_same_on_every_machine():
    assert uniform([0, 1, 2], "example").round(9).tolist() == [0.404373259, 0.593549878, 0.012744489]


def test_the_same_seed_and_anchor_give_the_same_rows(rows):
    assert_frame_equal(transactions(ANCHOR), rows)


def test_another_seed_changes_every_column(rows):
    first = {seed: transactions(ANCHOR, seed=seed).drop_duplicates("transaction_id") for seed in (7, 8)}
    both = first[7].merge(first[8], on="transaction_id")
    for column in ("user_id", "amount", "merchant", "event_timestamp"):
        assert (both[f"{column}_x"] == both[f"{column}_y"]).mean() < 0.05


def test_another_anchor_moves_every_row_and_changes_nothing_else(rows):
    later = transactions(ANCHOR + timedelta(hours=30))
    moved = rows.assign(
        event_timestamp=rows.event_timestamp + timedelta(hours=30),
        created_timestamp=rows.created_timestamp + timedelta(hours=30),
    )
    assert_frame_equal(later, moved)


def test_rows_surround_the_anchor(rows):
    assert len(rows) == 200_000
    first = ANCHOR - timedelta(days=31)
    assert first - timedelta(hours=2) <= rows.event_timestamp.min() < first + timedelta(hours=1)
    last = ANCHOR + timedelta(days=14)
    assert last - timedelta(hours=1) < rows.event_timestamp.max() < last + timedelta(hours=2)


def test_nothing_is_known_before_it_happened(rows):
    assert (rows.created_timestamp > rows.event_timestamp).all()


def test_users_and_nulls_are_as_documented(rows):
    assert set(rows.user_id) == set(range(1, 501))
    assert rows.transaction_id.isna().sum() == 400
    assert rows.amount.isna().mean() == pytest.approx(0.05, abs=0.005)
    assert rows.merchant.isna().mean() == pytest.approx(0.005, abs=0.001)
    assert rows.amount.min() >= 1
    assert rows.amount.max() < 501


def test_some_rows_come_late_and_some_lie_on_a_boundary(rows):
    first_versions = rows.drop_duplicates("transaction_id")
    lag = first_versions.created_timestamp - first_versions.event_timestamp
    assert (lag > timedelta(minutes=5)).mean() == pytest.approx(0.03, abs=0.005)
    assert lag.max() > timedelta(hours=11)
    assert (rows.event_timestamp == rows.event_timestamp.dt.floor("h")).mean() > 0.009


def test_every_49th_transaction_is_corrected_later(versions):
    assert len(versions) == 4000
    assert (versions.created_timestamp_last > versions.created_timestamp).all()
    assert versions.amount_last.notna().all()
    assert (versions.amount != versions.amount_last).mean() > 0.99


def test_some_corrections_change_the_user_and_some_the_time(versions):
    other_user = versions.user_id != versions.user_id_last
    other_time = versions.event_timestamp != versions.event_timestamp_last
    assert other_user.mean() == pytest.approx(0.2, abs=0.03)
    assert other_time.mean() == pytest.approx(0.2, abs=0.03)
    assert not (other_user & other_time).any()


def test_labels_ask_of_users_at_transactions_and_of_strangers(rows):
    asked = labels(ANCHOR)
    assert len(asked) == 9800
    assert set(asked.event_timestamp) <= set(rows.event_timestamp)
    assert (asked.user_id > 500).mean() == pytest.approx(0.02, abs=0.01)
    assert asked.fraud.mean() == pytest.approx(0.03, abs=0.01)
