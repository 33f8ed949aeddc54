"""How the weight files in a folder are called: one file, or an index that names shards; see Transformers."""

from dataclasses import dataclass

from albertkit.errors import InputError


@dataclass(frozen=True)
class WeightFormat:
    """A format of weight files. A `variant`, such as "fp16", stands in the names of weights in another precision."""

    stem: str
    suffix: str

    def single(self, variant: str | None) -> str:
        """The name of the file that holds all weights."""
        return f"{self.stem}.{variant}.{self.suffix}" if variant else f"{self.stem}.{self.suffix}"

    def index(self, variant: str | None) -> str:
        """The name of the JSON file that says which shard holds which tensor."""
        return f"{self.stem}.{self.suffix}.index.{variant}.json" if variant else f"{self.stem}.{self.suffix}.index.json"

    def shard(self, variant: str | None, number: str, count: str) -> str:
        """The name of one of `count` shards, numbered from 1 with five digits; "*" for both gives their pattern."""
        dot = f".{variant}" if variant else ""
        return f"{self.stem}{dot}-{number}-of-{count}.{self.suffix}"

    def patterns(self, variant: str | None) -> list[str]:
        """Patterns of the names of all its files."""
        return [self.single(variant), self.index(variant), self.shard(variant, "*", "*")]


SAFETENSORS = WeightFormat("model", "safetensors")
PICKLE = WeightFormat("pytorch_model", "bin")
KERAS = WeightFormat("tf_model", "h5")
FLAX = WeightFormat("flax_model", "msgpack")
FORMATS = (SAFETENSORS, PICKLE, KERAS, FLAX)
"""The first that a folder holds is read."""

OWN = "own.safetensors"
"""The weights of a model that shares the others with another; see `checkpoint.shared`."""
SINGLE = (*(form.single(None) for form in FORMATS), OWN)
"""The names that a file of all weights of a folder may have."""

STALE = tuple(SAFETENSORS.patterns(None))
"""The weight files of an old model that must not survive a save without `variant`."""
OTHER_FORMATS = tuple(pattern for form in FORMATS if form is not SAFETENSORS for pattern in form.patterns(None))
"""The weight files that other programs write and that are only read here."""


def parse_size(size: int | str) -> int:
    """Bytes in a size such as 5000000, "5GB" or "200MiB". InputError for anything else."""
    if isinstance(size, int):
        return size
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
    for unit in sorted(units, key=len, reverse=True):
        number = size.upper().removesuffix(unit)
        if number != size.upper() and number.strip().replace(".", "", 1).isdigit():
            return int(float(number) * units[unit])
    raise InputError(f'`max_shard_size` must be bytes or a size such as "5GB". Received: {size!r}.')
