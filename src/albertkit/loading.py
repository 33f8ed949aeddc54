"""The keywords of Transformers' loaders: which say where to look, which change nothing here, which mean nothing here.

Knows no framework. What stands in none of these lists is a key of the config, or an argument of a constructor.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from albertkit.errors import ConfigError, InputError, abbreviate, did_you_mean
from albertkit.hub import OPTIONS, FetchOptions
from albertkit.typing import Record

TAKEN = (
    *("config", "state_dict", "dtype", "torch_dtype", "attn_implementation", "ignore_mismatched_sizes"),
    *("output_loading_info", "use_safetensors", "variant", "device_map"),
)
"""Keywords that models take; a framework may lack some."""
IGNORED = (
    *("from_pt", "from_tf", "from_flax", "trust_remote_code", "adapter_kwargs", "weights_only", "generation_config"),
    *("resume_download", "mirror", "low_cpu_mem_usage", "offload_folder", "offload_state_dict", "offload_buffers"),
    *("_fast_init", "_from_auto", "_from_pipeline", "_commit_hash", "_configuration_file"),
)
"""Keywords that change nothing: every format is read, no code in a folder is run, weights are mapped from the file."""

_ONE_DEVICE = "A model is loaded onto one device, see `device_map`: spread it with your framework once it is loaded."
_NO_QUANTISING = (
    'Weights are loaded as numbers of floating point: pass dtype="bfloat16" for half the size. `albertkit quantize` '
    "makes a model ready for int8 on a CPU, and tools of a framework quantise what is loaded."
)
_OWN_KERNELS = 'In PyTorch and Flax, attn_implementation="sdpa" or "eager" says how attention is computed.'
REFUSED = {
    **dict.fromkeys(("load_in_8bit", "load_in_4bit", "quantization_config"), _NO_QUANTISING),
    **dict.fromkeys(("max_memory", "tp_plan", "tp_size", "device_mesh", "distributed_config"), _ONE_DEVICE),
    **dict.fromkeys(("use_flash_attention_2", "use_kernels", "kernel_config", "allow_all_kernels"), _OWN_KERNELS),
    **dict.fromkeys(
        ("key_mapping", "load_weight_prefix", "tf_to_pt_weight_rename"),
        "Rename the tensors yourself, and pass them as `state_dict`.",
    ),
    "gguf_file": "Convert the file to safetensors with the tool that wrote it.",
}
"""Keywords of models that would change something and are not here, with what to do instead."""
_PROXIES = "The hub is reached by the proxy that the environment names: set HTTPS_PROXY before Python starts."

_STRATEGIES = ("auto", "balanced", "balanced_low_0", "sequential")


def options(keywords: dict[str, Any], *, reads_weights: bool = False) -> FetchOptions:
    """Take out of `keywords` those of `hub.fetch`, which are returned, and those of a loader that change nothing.

    InputError for one that would change something, unless it is off. Those of REFUSED, and `device_map`, do so only
    where weights are read.
    """
    if proxies := keywords.pop("proxies", None):
        raise InputError(f"`from_pretrained` takes no `proxies`. Received: {abbreviate(proxies)}. {_PROXIES}")
    if (token := keywords.pop("use_auth_token", None)) is not None:  # its name in old releases of Transformers
        keywords.setdefault("token", token)
    for name in (*IGNORED, *(() if reads_weights else ("device_map",))):
        keywords.pop(name, None)
    for name, way_out in REFUSED.items():
        if (value := keywords.pop(name, None)) and reads_weights:
            raise InputError(f"`from_pretrained` takes no `{name}`. Received: {abbreviate(value)}. {way_out}")
    return cast("FetchOptions", {name: keywords.pop(name) for name in OPTIONS if name in keywords})


def constructor_options(cls: type, keywords: dict[str, object]) -> Record:
    """Take out of `keywords` those that the constructor of `cls` has."""
    accepted = _parameters(cls.__init__) if keywords else {}
    return {name: keywords.pop(name) for name in list(keywords) if name in accepted}


@functools.cache
def _parameters(function: Callable[..., object]) -> frozenset[str]:
    """The names of a function's parameters, found once: it takes a tenth of a millisecond."""
    return frozenset(inspect.signature(function).parameters)


def require_keys(model: str, keywords: Collection[str], known: Collection[str]) -> None:
    """ConfigError where a keyword of `from_pretrained` is neither an option of loading nor one of the `known` keys."""
    for name in keywords:
        if name not in known:
            near = did_you_mean(name, (*known, *OPTIONS, *TAKEN, *IGNORED))
            raise ConfigError(
                f"`{model}.from_pretrained` takes options of loading, arguments of its constructor and keys of the "
                f"config. Received: `{name}`, which is none of these.{near} Leave it out."
            )


def no_such_device(device_map: object, why: object) -> str:
    """The message for a `device_map` that names a device which is not there."""
    return (
        f"`device_map` must name a device of this machine. Received: {abbreviate(device_map)}: {why!s:.200}. Pass "
        '"cpu", or "auto" for the best that is there.'
    )


def single_device(device_map: object) -> str | int | None:
    """The one device of a `device_map`: a name, a number, "auto" for the one that is best, None where none was given.

    InputError for several devices, for one without memory of its own, and for what names none.
    """
    rule = "`device_map` must name one device: a name, a number, or a mapping of all modules to it"
    if isinstance(device_map, Mapping):
        found = {single_device(device) for device in device_map.values()}
        if len(found) != 1:
            names = ", ".join(sorted(map(str, found))) or "none"
            raise InputError(f"{rule}, for an ALBERT fits on one. Received: {names}. Name the device itself.")
        return found.pop()
    if device_map in _STRATEGIES:
        return "auto"
    if device_map is None or (isinstance(device_map, int) and not isinstance(device_map, bool) and device_map >= 0):
        return device_map
    name = device_map if isinstance(device_map, str) else str(device_map)
    if name in ("", "disk", "meta") or isinstance(device_map, (int, float)):
        raise InputError(f'{rule}. Received: {abbreviate(device_map)}. Pass "auto", "cpu", "cuda" or a number.')
    return name
