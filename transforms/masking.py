"""Identifiers made fit for a report or a message: enough to recognise one's own row, too little to find a person."""

HIDDEN = "••••"  # always four: the length of what is hidden is personal too


def mask(text: str) -> str:
    """Keep at most two characters at either end; of an e-mail its first letter and a short top-level domain.

    Never the whole value: what is too short to keep a part of is hidden altogether.
    """
    shown = "".join(char for char in text if char.isprintable() and char not in "•").strip()
    masked = _email(shown) if "@" in shown else _ends(shown)
    if masked != text:
        return masked
    return HIDDEN if text != HIDDEN else HIDDEN[:-1]  # it was masked before


def _ends(text: str) -> str:
    if len(text) >= 8:
        return text[:2] + HIDDEN + text[-2:]
    if len(text) >= 6:
        return text[0] + HIDDEN + text[-1]
    if len(text) >= 4:
        return text[0] + HIDDEN
    return HIDDEN


def _email(text: str) -> str:
    local, _, domain = text.rpartition("@")
    first = local[0] if len(local) >= 4 else ""
    host, _, suffix = domain.rpartition(".")
    # A long suffix can name a company or a town (.koeln); two or three letters are mostly a country or a kind.
    ending = f".{suffix}" if host and 2 <= len(suffix) <= 3 else ""
    return f"{first}{HIDDEN}@{HIDDEN}{ending}"
