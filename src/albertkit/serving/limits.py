"""What a server takes, and for how long."""

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Bounds of a server. Beyond each it answers with the status that is named, and goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_body_bytes: int = Field(2**20, ge=1)
    """Of a request's body: 413."""
    max_request_tokens: int = Field(2**14, ge=1)
    """Of all rows of one request, with their windows: 413."""
    max_batch_tokens: int = Field(4096, ge=1)
    """Of what is computed together. The longest that anybody waits for others goes with it."""
    max_waiting_tokens: int = Field(2**18, ge=1)
    """Of all requests that wait: 429, with Retry-After."""
    max_mask_scores: int = Field(2**28, ge=1)
    """That are kept at a time, one for each word of the vocabulary and each mask: 413 for one request, 429 for all."""
    max_requests: int = Field(2048, ge=1)
    """That are being answered at a time: 429."""
    deadline: float = Field(30.0, gt=0, le=86400)
    """Seconds from a request's arrival to its answer: 504. What is in no batch by then is not computed."""
