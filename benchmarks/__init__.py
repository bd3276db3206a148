"""What the platform costs beside its peers: reproducible data, checked answers, wall time, CPU seconds and memory.

make bench                                    every case at full size (hours), then docs/benchmarks.md
.venv-bench/bin/python -m benchmarks --case join_10m_1m --scale small
"""
