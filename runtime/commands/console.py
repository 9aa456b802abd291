"""`ml-connector console`: the operator's pages and the codec endpoint, and the tokens that let people in."""

import datetime as dt
import getpass
import os
from typing import Annotated

import typer

from console.addresses import public_url
from console.passes import Passes
from runtime.commands.common import DEFAULT_CONFIG, ConfigOption, configured, fail, output, run
from runtime.commands.serve import serve_until_told
from runtime.serving import serve_console
from store import KeyRing


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Serve the operator's pages and the codec endpoint, privately.")
    group.callback(invoke_without_command=True)(console)
    group.command("token")(token)
    app.add_typer(group, name="console")


def console(context: typer.Context, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Serve the operator's pages, and decode histories for the Temporal UI and CLI. Never reachable from outside."""
    if context.invoked_subcommand is None:
        run(serve_until_told(serve_console, configured(config).configuration))


def token(
    config: ConfigOption = DEFAULT_CONFIG,
    name: Annotated[
        str, typer.Option("--for", metavar="NAME", help="Whose token it is; stands in the log.", show_default=False)
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is valid.")] = 7,
    plain: Annotated[bool, typer.Option("--plain", help="Print the token alone, for use in another command.")] = False,
) -> None:
    """Print a token to sign in with, in the browser and with the Temporal CLI.

    Made from the key ring and stored nowhere. It cannot be taken back before it ends, except by taking the key that
    signed it, the current one, out of the ring: `keys rotate`, then `keys retire`.
    """
    settings = configured(config).configuration.console
    try:
        text, made = Passes(KeyRing.from_environment(os.environ), "token").issue(
            name or _login(), dt.timedelta(days=days)
        )
    except ValueError as error:
        fail(str(error), code=2)
    if plain:
        typer.echo(text)
        return
    url = public_url(settings)
    for line in (
        f"Token for {made.who}, valid until {made.until:%Y-%m-%d %H:%M} UTC. Whoever has it can read every history.",
        "",
        f"  {text}",
        "",
        f"In the browser: open {url}/ and sign in with it; that page tells what to set in the Temporal UI.",
        f'On the command line: temporal ... --codec-endpoint {url} --codec-auth "Bearer TOKEN"',
    ):
        output.print(line, highlight=False, markup=False, soft_wrap=True)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return fail("This user has no name here. Say whose token it is: --for NAME.", code=2)
