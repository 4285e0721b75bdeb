"""Benchmarks: speed and size of capsend and of its peers, in one run. `python -m tests.bench` measures every figure that capsend promises."""
