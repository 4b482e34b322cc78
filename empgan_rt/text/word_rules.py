"""The rules by which text becomes words: cased and Treebank-like, negations whole.

They are part of every `tokenizer.json`. Whoever changes them makes another format, for
`tokenizer_file` reads files with these very rules.
"""

from __future__ import annotations

CLITIC = r"(?i:s|m|d|re|ve|ll)"

# Each rule is (pattern, replacement); lookarounds because replacements take no groups.
REWRITES = (
    (r"[\u2018\u2019\u2032\u00b4\u02bc`]", "'"),
    (r"[\u201c\u201d\u2033\u00ab\u00bb]", '"'),
    (r"[\u2010\u2011]", "-"),
    (r"[\u2012-\u2015]", " - "),
    (r"\u2026", "..."),
    (r"\u3002", ". "),
    (r"[\u3001\uff0c]", ", "),
    (r"\uff1f", "? "),
    (r"\uff01", "! "),
    (r"\p{Cf}+", ""),
    (r"[\p{Cc}\p{Zs}\p{Zl}\p{Zp}]+", " "),
    # "don ' t", "it ' s": the corpus writes many apostrophes with spaces around them
    (r"(?<=[A-Za-z]) ?' ?(?=t\b)(?<=n ' |n' |n '|n')", "'"),
    (rf"(?<=[A-Za-z]) ' ?(?={CLITIC}\b)", "'"),
    (rf"(?<=[A-Za-z])' (?={CLITIC}\b)", "'"),
    (r"(?<=[A-Za-z])'Ve\b", "'ve"),
    (r"\b[Oo] ' (?=clock\b)", "o'"),
    # "right.But": a full stop, question or exclamation mark glued to the next sentence
    (r"(?<=[a-z]{2}[.?!])(?=[A-Z])", " "),
    (r"(?<=[a-z]{2},)(?=[A-Za-z])", " "),
    # "Mr . Brown", "p . m .": abbreviations that the corpus splits
    (r"(?<=\b(?:Mr|Ms|Dr|St)) (?=\.)", ""),
    (r"(?<=\bMrs) (?=\.)", ""),
    (r"(?<=\b[ap]) ?\. ?(?=m\b)", "."),
    (r"(?<=\b[ap]\.m) (?=\.)", ""),
)

SPACE = r"\s+"
WORD = "|".join(
    (
        r"(?:Mr|Mrs|Ms|Dr|St)\.",
        r"[ap]\.m\.?",
        r"\d+(?:[.,:]\d+)*(?:st|nd|rd|th)?",
        rf"'{CLITIC}(?![\w'])",
        rf"[^\W\d_]+(?:(?:-|'(?!{CLITIC}(?![\w'])))[^\W_]+)*",
        r"\.{2,}",
        r"\w+",
        r"[^\w\s]",
    )
)
