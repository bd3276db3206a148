"""Pages inside Airflow: the views with their verdicts, generations and ages. No Spark, no Great Expectations."""
