"""How fast and how large: capsend beside its peers, in one run. `python -m tests.bench` measures every figure that capsend promises."""
