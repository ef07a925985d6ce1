import pytest
from odp_exporter.exposition.tables import parameters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2G", 2 << 30),
        ("2GB", 2 << 30),
        ("256mb", 256 << 20),
        ("100K", 100 << 10),
        ("1T", 1 << 40),
        ("2", None),
        ("2 G", None),
        ("-2G", None),
        ("2.5G", None),
        ("", None),
        (None, None),
        ("9" * 5000 + "G", None),
    ],
)
def test_a_size_needs_its_unit(text: str | None, expected: int | None) -> None:
    assert expected == parameters.size(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("8192", 8192), ("0", 0), ("8k", None), ("", None), (None, None), ("9" * 5000, None)]
)
def test_a_count_is_a_number(text: str | None, expected: int | None) -> None:
    assert expected == parameters.count(text)


@pytest.mark.parametrize(("text", "expected"), [("True", 1), ("false", 0), ("1", None), ("", None), (None, None)])
def test_a_boolean_is_a_word(text: str | None, expected: int | None) -> None:
    assert expected == parameters.boolean(text)
