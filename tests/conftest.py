"""Options of the test run."""


def pytest_addoption(parser):
    parser.addoption(
        "--update",
        action="store_true",
        help="rewrite the output sections of tests/cases with what gradgen emits now",
    )
