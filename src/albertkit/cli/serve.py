"""albertkit serve: models behind HTTP."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from albertkit.cli import options


def command(
    models: Annotated[list[str], Argument(help="Folders of models, or names; NAME=FOLDER, or NAME:TASK=FOLDER.")],
    host: Annotated[str, Option(help="Address to listen at; 0.0.0.0: all of the machine.")] = "127.0.0.1",
    port: Annotated[int, Option(help="Port; 0: any that is free.", min=0, max=65535)] = 8080,
    task: options.Task = "auto",
    framework: options.AnsweringFramework = None,
    device: options.Device = None,
    precision: options.Precision = None,
    max_length: options.MaxLength = None,
    trust_program: options.TrustProgram = False,
    max_batch_tokens: Annotated[int, Option(help="Tokens that are computed together at most.", min=1)] = 4096,
    max_waiting_tokens: Annotated[int, Option(help="Tokens that may wait; beyond: 429.", min=1)] = 262144,
    max_request_tokens: Annotated[int, Option(help="Tokens of one request at most; beyond: 413.", min=1)] = 16384,
    max_body_bytes: Annotated[int, Option(help="Bytes of a request's body at most; beyond: 413.", min=1)] = 1048576,
    max_mask_scores: Annotated[
        int, Option(help="Scores of words kept at a time, 4 bytes each: a vocabulary for each mask.", min=1)
    ] = 268435456,
    max_requests: Annotated[int, Option(help="Requests answered at a time at most; beyond: 429.", min=1)] = 2048,
    deadline: Annotated[
        float, Option(help="Seconds until a request must be answered; beyond: 504.", min=0.001, max=86400)
    ] = 30.0,
    api_keys: Annotated[
        Path | None,
        Option(
            help="File of keys, one a line, of which requests need one.", show_default="$ALBERTKIT_API_KEYS, or none"
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        Option(help="An origin whose pages may ask from a browser; several times.", show_default="none"),
    ] = None,
) -> None:
    """Serve models over HTTP: one route a model, vectors, counters, and a description of all at /docs.

    Requests of all clients are computed together. SIGHUP loads the models again; SIGTERM and Ctrl-C stop, once what was
    taken is answered.
    """
    from albertkit.errors import MissingDependency
    from albertkit.prediction.limits import share_machine

    share_machine()
    try:
        from albertkit.serving import run
        from albertkit.serving.app import create_app
        from albertkit.serving.limits import Limits
        from albertkit.serving.models import Models, Source
    except ImportError as error:
        raise MissingDependency("albertkit serve", str(error.name), "serve") from None

    keys, origins = run.api_keys(api_keys), run.origins(cors_origin or [])
    on = options.computing(device, None, None, precision, trust_program=trust_program)
    served = Models([Source.of(one, task=task, framework=framework, max_length=max_length, **on) for one in models])
    served.load()
    limits = Limits(
        max_batch_tokens=max_batch_tokens,
        max_waiting_tokens=max_waiting_tokens,
        max_request_tokens=max_request_tokens,
        max_body_bytes=max_body_bytes,
        max_mask_scores=max_mask_scores,
        max_requests=max_requests,
        deadline=deadline,
    )
    _log_requests()
    told = [] if keys else ["No keys are asked for: whoever reaches this address may ask."]
    run.serve(create_app(served, limits, keys, origins), host, port, told)


def _log_requests() -> None:
    """A JSON line for each request on standard error."""
    import logging
    import sys

    access = logging.getLogger("albertkit.serving.access")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    access.addHandler(handler)
    access.setLevel(logging.INFO)
    access.propagate = False
