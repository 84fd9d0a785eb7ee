"""How fast it is: against the floor, the bare driver's best loop, and against peers.

``python -m tests.benchmarks`` measures everything, ``--quick`` takes small files and few rounds.
All contenders are measured side by side in one run, in turns, since machines are noisy: trust
the ratios, not the absolute numbers.
"""
