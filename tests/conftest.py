"""Options of the test run."""


def pytest_addoption(parser):
    parser.addoption(
        "--update",
        action="store_true",
        help="rewrite the golden cases' output sections, and tests/operations.toml, as gradgen emits now",
    )
