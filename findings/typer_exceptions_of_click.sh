#!/usr/bin/env bash
# Typer 0.29.2 carries a Click of its own and no longer knows the installed one (8.5.1): its groups are no click.Group, and a
# command that raises click.UsageError or click.Abort, as commands for Typer used to, ends in a traceback and exit code 1
# instead of the usage message and exit code 2. typer.BadParameter and typer.Abort, and click commands inside the group, work.
# Seen on 2026-11-29, Python 3.11.
# Matters to: whoever raises or catches Click's exceptions in Typer commands, or tests with isinstance(command, click.Group).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check typer==0.29.2 click==8.5.1
cd "$folder"
cat > program.py <<'PY'
import click
import typer

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def by_click() -> None:
    raise click.UsageError("two options exclude one another")


@app.command()
def by_typer() -> None:
    raise typer.BadParameter("two options exclude one another")


if __name__ == "__main__":
    print(f"a group of Typer is a click.Group: {isinstance(typer.main.get_command(app), click.Group)}")
    app()
PY
by_click=0 by_typer=0
"$folder/venv/bin/python" program.py by-click > click.txt 2>&1 || by_click=$?
"$folder/venv/bin/python" program.py by-typer > typer.txt 2>&1 || by_typer=$?
tail -n 1 click.txt
echo "exit codes: click.UsageError $by_click, typer.BadParameter $by_typer"
grep -q "is a click.Group: False" click.txt
grep -q "Traceback" click.txt
test "$by_click" = 1
test "$by_typer" = 2
! grep -q "Traceback" typer.txt
