"""The same values as `steady`, but nothing is scheduled before the view is first seen."""

from features._shop import payments, payments_view

twin = payments_view("twin", payments)
