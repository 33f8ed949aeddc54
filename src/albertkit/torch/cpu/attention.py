"""Attention over sequences laid end to end: those of one length at a time, as views, without padding.

Letters: T tokens, S sequences of one length L, N heads, D width of a head, H = N * D.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def attend(
    query: Tensor, key: Tensor, value: Tensor, groups: Sequence[tuple[int, int]], heads: int, only_first: bool = False
) -> Tensor:
    """(T, H) each -> (T, H), where a token attends to those of its own sequence.

    `groups` are (number of sequences, their length) in the order of the tokens. With `only_first` the queries are those
    of the first tokens alone, and so is what is returned.
    """
    out = torch.empty(query.shape, dtype=query.dtype)
    start = asked = 0
    for count, length in groups:
        queries = 1 if only_first else length
        stop, until = start + count * length, asked + count * queries
        q, k, v = (
            x.view(count, size, heads, -1).transpose(1, 2)
            for x, size in ((query[asked:until], queries), (key[start:stop], length), (value[start:stop], length))
        )
        context = functional.scaled_dot_product_attention(q, k, v)
        out[asked:until].view(count, queries, heads, -1).copy_(context.transpose(1, 2))
        start, asked = stop, until
    return out
