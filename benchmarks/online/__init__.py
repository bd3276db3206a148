"""What publishing and looking up cost beside their peers, on one real server.

A case has programs; each is run in a process of its own, `--runs` times, all of them in turn, and yields figures.
"""
