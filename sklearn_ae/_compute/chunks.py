"""Rows in chunks of bounded memory."""

# Rows per chunk are chosen so that a chunk of the widest tensor stays near this many numbers.
CHUNK_NUMBERS = 2**22
# More rows than these gain nothing in any layer.
MOST_ROWS = 4096


def rows_at_once(width):
    """Rows that go through a network together, of which each takes ``width`` numbers at most."""
    return max(1, min(MOST_ROWS, CHUNK_NUMBERS // max(width, 1)))


def slices(n_rows, width):
    """Slices of rows of which each takes ``width`` numbers, in order, of bounded memory."""
    step = max(1, CHUNK_NUMBERS // max(width, 1))
    return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]
