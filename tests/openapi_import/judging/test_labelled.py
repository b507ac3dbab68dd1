"""The rules on operations of invented businesses in many styles, with labels: what the table of the docs promises."""

from pathlib import Path

from tests.bench.judging import load, main, score

LABELLED = Path(__file__).with_name("labelled.tsv")


def test_the_rules_are_as_good_as_they_have_to_be():
    found = score(load(LABELLED))

    assert found.operations > 200
    assert found.accuracy >= 0.95
    assert found.decided >= 0.99
    assert found.asked <= 0.10
    assert found.reads > 80
    assert found.writes_called_reads == 0


def test_every_style_of_naming_is_understood():
    rows = load(LABELLED)

    for source in {row.source for row in rows}:
        found = score(row for row in rows if row.source == source)
        assert found.writes_called_reads == 0, source
        assert found.accuracy >= 0.9, source


def test_the_table_shows_both_halves(capsys):
    assert main([str(LABELLED)]) == 0

    printed = capsys.readouterr().out
    assert "| tuning | all | " in printed
    assert "| report | all | " in printed
    assert "microseconds" in printed


def test_without_a_file_it_says_how_it_is_called(capsys):
    assert main([]) == 2

    assert "Usage" in capsys.readouterr().err
