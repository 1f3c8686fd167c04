"""Options of the test run."""


def pytest_addoption(parser):
    parser.addoption(
        "--update",
        action="store_true",
        help="rewrite the outputs of the golden cases, and tests/operations.toml, as they are now",
    )
