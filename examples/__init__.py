"""Example data: real flights and weather, and generated transactions, as Delta sources."""
