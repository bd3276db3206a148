"""Feature definitions; they import only skewless."""
