"""The offline side: Spark over Delta."""
