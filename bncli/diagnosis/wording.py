"""How findings speak of counts: in the singular and the plural, and of all, some or the only one."""

from __future__ import annotations

NORM = "batch normalization"


def some_of(count: int, total: int, noun: str = NORM) -> str:
    """Say how many of some things are meant, as the beginning of a sentence.

    >>> some_of(1, 1), some_of(2, 2), some_of(1, 5)
    ('The only batch normalization', 'Both batch normalizations', '1 of 5 batch normalizations')

    Args:
        count: How many are meant, at least one.
        total: How many there are.
        noun: What they are.
    """
    if total == 1:
        return f"The only {noun}"
    if count == total:
        return f"Both {noun}s" if total == 2 else f"All {total:,} {noun}s"
    return f"{count:,} of {total:,} {noun}s"


def within(count: int, total: int, noun: str = NORM) -> str:
    """Say the same within a sentence.

    >>> within(5, 5), within(1, 5)
    ('all 5 batch normalizations', '1 of 5 batch normalizations')
    """
    text = some_of(count, total, noun)
    return text[0].lower() + text[1:]


def agreed(count: int, one: str, many: str) -> str:
    """Return the form of a verb or pronoun that goes with a count.

    >>> agreed(1, "has", "have"), agreed(3, "has", "have")
    ('has', 'have')
    """
    return one if count == 1 else many
