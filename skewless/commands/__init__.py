"""The commands of the command line, by what they are for; `skewless.cli` puts them together."""
