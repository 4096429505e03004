from nnkit.tables import MOST_ROWS, Table, drawn, plain, shortened


def table(rows: int) -> Table:
    return Table(("layer", "parameters"), [(f"dense_{row}", str(row)) for row in range(1, rows + 1)], numbers=1)


def test_a_short_table_stays_as_it_is() -> None:
    assert shortened(table(7), 7) == table(7)


def test_of_a_long_table_the_ends_are_shown() -> None:
    found = shortened(table(1500), 6)
    assert [row[1] for row in found.rows] == ["1", "2", "3", "", "1499", "1500"]
    assert found.rows[3][0] == "... 1,495 more rows: see all through a pipe, as | less ..."
    assert found.numbers == 1
    assert len(plain(found).splitlines()) == 7


def test_a_terminal_gets_no_more_than_it_can_show() -> None:
    lines = drawn(table(1500), 100).splitlines()
    assert len(lines) == MOST_ROWS + 4
    assert any("1,401 more rows" in line for line in lines)
    assert "dense_1500" in lines[-2]
