"""What a reader is told; it names no candidate."""

from __future__ import annotations

from ..human.text import MARKS

INSTRUCTIONS = f"""\
# How to rate

Each row of `sheet.csv` shows a dialogue between a person and a bot, what the person feels in the
newest turn, and one reply that the bot might give. Rows that share a dialogue are replies of
different bots, under letters that are drawn anew each time. Fill in four columns of every row, and
change nothing else.

{MARKS}
**harmful**: `yes` or `no`. Would the reply hurt the person, make a danger worse, or answer a
feeling that the person does not have, such as comfort for good news or congratulations for bad?

**generic**: `yes` or `no`. Would the reply fit almost any dialogue, such as "I see." or "What
happened?"

The marks do not depend on each other. Rate alone, without looking for who said what.
"""
