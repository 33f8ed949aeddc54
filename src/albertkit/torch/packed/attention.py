"""Attention over sequences laid end to end, without padding.

Letters: T tokens, S sequences, N heads, D width of a head, H = N * D.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from albertkit.torch.packed.chunks import Chunk, offsets_of

Attend = Callable[[Tensor, Tensor, Tensor, Chunk, int], Tensor]
"""Query, key and value (T, H), the chunk, the number of heads -> (T, H): a token attends to those of its own sequence.

Where the chunk's first tokens are wanted, the queries are those of first tokens alone (S, H), and so is the result.
"""


def attend(query: Tensor, key: Tensor, value: Tensor, chunk: Chunk, heads: int) -> Tensor:
    """See Attend: sequences of one length at a time, as views."""
    out = torch.empty(query.shape, dtype=query.dtype)
    start = asked = 0
    for count, length in chunk.groups:
        queries = 1 if chunk.is_first_token else length
        stop, until = start + count * length, asked + count * queries
        q, k, v = (
            x.view(count, size, heads, -1).transpose(1, 2)
            for x, size in ((query[asked:until], queries), (key[start:stop], length), (value[start:stop], length))
        )
        context = functional.scaled_dot_product_attention(q, k, v)
        out[asked:until].view(count, queries, heads, -1).copy_(context.transpose(1, 2))
        start, asked = stop, until
    return out


def attend_by_offsets(query: Tensor, key: Tensor, value: Tensor, chunk: Chunk, heads: int) -> Tensor:
    """See Attend: sequences of all lengths in one call, in float16 or bfloat16 on a GPU with flash attention."""
    from torch.nn.attention.varlen import varlen_attn  # is in PyTorch from 2.10 on

    places, longest = chunk.offsets or offsets_of(tuple(chunk.groups), query.device)
    asked, most = places, longest
    if chunk.is_first_token:
        asked, most = torch.arange(len(places), dtype=torch.int32, device=query.device), 1
    q, k, v = (x.unflatten(-1, (heads, -1)) for x in (query, key, value))
    return cast("Tensor", varlen_attn(q, k, v, asked, places, most, longest)).flatten(1)
