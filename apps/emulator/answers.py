"""What the demo agents say. `{prompt}` is replaced by the user's prompt on one line; the texts ask nobody to do anything."""

from __future__ import annotations

TRAVEL = (
    """You asked about “{prompt}”. Here is a plan that leaves room to breathe.

**Friday.** Arrive before noon, leave the bags at the station and walk along the river to the old market. The fish stalls close at two, so lunch comes first. In the evening the terrace above the tram depot has the best light in town.

**Saturday.** Take the 9:12 regional train into the hills; sit on the left. A loop of eleven kilometres starts behind the church and passes two huts that serve soup. The last train back leaves at 18:40, the one before it is quieter.

**Sunday.** The museum opens at ten and is free until eleven. Two hours are enough for the map room and the tower. There is a direct train home at 15:05.

Expect about 310 € for two people without the hotel. If it rains on Saturday, swap it with Sunday: the museum is dry, and the huts are open on both days.""",
    """Picking up from before, now “{prompt}”.

The simplest change is to keep the trains as they are and to move the walk to the morning. You then reach the first hut before the school groups, and the afternoon stays free for the botanical garden, which is open until six.

Two details are worth a reservation: the window seats on the regional train, and the corner table at the depot terrace. Everything else can be decided on the day.""",
)

TRAVEL_BRIEF = (
    """For “{prompt}”: take the early train on Friday, spend Saturday in the hills and Sunday morning in the museum. Plan on roughly 300 € for two, hotel not included. The walk is eleven kilometres and easy.""",
)

CONTRACT = (
    """I read the text with your question in mind: “{prompt}”. Four points deserve attention before anybody signs.

1. **Term and renewal (§3).** The agreement renews for twelve months unless notice is given ninety days ahead. Ninety is unusual for a service of this size; thirty is common.

2. **Liability (§9.2).** The cap is one month of fees, and it covers breaches of confidentiality as well. Confidentiality is normally carved out, because the harm bears no relation to the fees.

3. **Data return (§11).** Data is returned “in a format of the supplier's choosing” within sixty days. A named format and a deadline before the term ends would make an exit possible in practice.

4. **Assignment (§14).** The supplier may assign without consent, the customer may not. A mutual clause with an exception for group companies is the usual middle ground.

Nothing here is unusual enough to stop a negotiation. I would raise 2 and 3 first: they cost the other side little and protect the most.""",
    """On “{prompt}”: yes, the two clauses interact. §9.2 caps what can be claimed, and §11 lets the supplier decide when a claim could arise, since no deadline for the return of data falls within the term. Read together they leave the customer without a remedy during the very weeks in which the data is most needed.

A short amendment resolves both: a return in an open format ten days before the end of the term, and a carve-out of §11 from the cap.""",
)

TUTOR = (
    """# Reading a file without running out of memory

Your question was: “{prompt}”. The answer fits in one idea: **let the file come to you a piece at a time**.

## The short version

```python
from collections import Counter
from pathlib import Path


def count_levels(path: Path) -> Counter[str]:
    \"\"\"Count the log levels in a file of any size.\"\"\"
    levels: Counter[str] = Counter()
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            _, _, rest = line.partition(" ")
            level, _, _ = rest.partition(" ")
            levels[level] += 1
    return levels
```

Iterating over an open file reads it in blocks and hands out one line at a time. However large the file is, only one block and one line are in memory.

## Why the obvious version hurts

| approach | peak memory for a 4 GB file | time |
| --- | ---: | ---: |
| `path.read_text().splitlines()` | about 9 GB | 41 s |
| `for line in lines` | 0.02 GB | 29 s |
| the same over `mmap` | 0.02 GB resident | 24 s |

The first one holds the text, and then a list of all its lines next to it. The second holds a line.

## When lines are not the unit

Binary formats have no lines. Read blocks of a fixed size instead:

```python
from collections.abc import Iterator
from typing import BinaryIO


def blocks(source: BinaryIO, size: int = 1 << 16) -> Iterator[bytes]:
    while block := source.read(size):
        yield block
```

> A generator is a promise to produce values later. Nothing is read until somebody asks for it.

## Things to look out for

- Close what you open. The `with` statement does it, also when an exception passes through.
- Say which encoding you expect; the default differs between machines.
- `errors="replace"` keeps a broken byte from ending the whole run. Count the replacements if they matter.

Try it on a small file first, and compare the result with `grep -c`. If both agree, the large file is only a matter of patience.""",
    """## A follow-up on “{prompt}”

Good next step. The counting itself is *pure*: the same lines give the same counts, so it is easy to test without any file.

```python
def test_levels_are_counted() -> None:
    lines = ["12:00 INFO started", "12:01 ERROR disk full", "12:02 INFO done"]
    assert count_lines(lines) == {"INFO": 2, "ERROR": 1}
```

Split the function in two: one that takes *any iterable of lines*, and a thin one that opens the file and passes it on. The thin one hardly needs a test; the other needs no file.""",
)

CLAIMS = (
    """I have opened the claim for “{prompt}” and am going through it step by step.

The policy was in force on the day of the loss, the premium is paid, and the excess is 150 €. The photographs are legible; two of them carry a date that agrees with the report.

Next I compare the repair estimate with the reference prices of the region. The parts come to 1,284 €, which is in line. For the labour I need the rate table of the garage""",
)

HELLO = (
    """This is a freshly deployed agent, version {version}. You said: “{prompt}”. Its code is not known here, so this answer stands in for it; deploy it to AgentCore to hear the real one.""",
)
