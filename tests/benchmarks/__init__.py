"""Benchmarks: of emitted gradients, and of emitting them. One core and one thread for all of it.

Products of matrices spread over all cores otherwise, in NumPy and in the peers; the libraries read
these variables when they are loaded.
"""

import os
import sys

_LIBRARIES = ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")

if "pytest" not in sys.modules:  # its other tests would share the one core
    for library in _LIBRARIES:
        os.environ[f"{library}_NUM_THREADS"] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["JAX_ENABLE_X64"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
