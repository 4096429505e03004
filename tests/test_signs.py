import io
import sys
from typing import Any

import pytest

from nnkit import console
from nnkit.signs import harmless, one_line
from nnkit.tables import Table, drawn, plain

LABEL = "a\x1b[31mred\x07\x9b2J\u202egnp.exe\r\nnext\tcell"
SEEN = r"a\x1b[31mred\x07\x9b2J\u202egnp.exe\r\nnext\tcell"


def test_what_a_terminal_obeys_is_written_out() -> None:
    assert one_line(LABEL) == SEEN
    assert harmless("Zoë\t\u4e2d\n\U0001f600") == "Zoë\t\u4e2d\n\U0001f600"
    for number in [*range(32), *range(127, 160)]:
        assert (chr(number) in harmless(chr(number))) == (chr(number) in "\n\t")


def test_messages_and_tables_are_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    console.say(LABEL)
    assert "\x1b" not in told.getvalue()
    table = Table(("class", LABEL), [(LABEL, "1")])
    assert plain(table).count("\n") == 2
    assert SEEN in plain(table)
    assert "\x1b[31mred" not in drawn(table, 200)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_data_is_harmless_on_a_terminal_and_whole_in_a_pipe(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    out = kind()
    monkeypatch.setattr(sys, "stdout", out)
    console.stdout().write(LABEL)
    console.print_text(LABEL)
    assert out.getvalue() == (harmless(LABEL) if kind is Terminal else LABEL) * 2


def test_json_has_no_controls_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"a": "\x1b\x7f\x9bé"})
    assert capsys.readouterr().out == '{\n  "a": "\\u001b\\u007f\\u009bé"\n}\n'
