"""Options of the test run, and of the libraries that it loads."""

import os

# Products of matrices spread over all cores otherwise, in each of the processes that test at once,
# and wait for one another. The libraries read these variables when they are loaded, which is later.
for _library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")


def pytest_addoption(parser):
    parser.addoption(
        "--update",
        action="store_true",
        help="rewrite the outputs of the golden cases, and tests/operations.toml, as they are now",
    )
