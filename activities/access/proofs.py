"""Who signs in is known before anything is posted in his name: the same pod or store and account as ever."""

import asyncio
from collections.abc import Awaitable, Callable

from activities.access.marks import Marks
from clients.accounts import Account
from clients.errors import BadAnswer, Forbidden, Held, NotFound, Rejected, SignInRefused

Identify = Callable[[], Awaitable[Account]]


class Proof:
    """One per connection and process. Wanted once, and again whenever the secret is another one.

    `identify` signs in where that is due and says who that is; without it nothing is ever to be proved.
    """

    def __init__(self, connection: str, identify: Identify | None, marks: Marks | None, remedy: str) -> None:
        self._connection = connection
        self._identify = identify
        self._marks = marks
        self._remedy = remedy
        self._asking = asyncio.Lock()
        self.wanted = identify is not None
        """Nothing but the proof itself may be called now."""
        self.secret: str | None = None
        """Id of the value that was used last for signing in; None: there was none."""

    def want(self) -> None:
        """What was proved may not hold any more."""
        self.wanted = self._identify is not None

    def uses(self, secret: str | None, *, proving: bool) -> None:
        """A sign-in is about to use this value. Raises `Held` for one that is not proved and is not being proved."""
        if secret != self.secret and self.secret is not None:
            self.want()
        if secret is not None and self.wanted and not proving:
            raise Held(self._connection, f"The secret of {self._connection} has changed; its account is checked first.")
        self.secret = secret

    async def find_out(self, admit: Callable[[], None]) -> None:
        """Ask who signs in. One step asks, the others wait for it; `admit` is called when it is this one's turn.

        Raises what `admit` and the client raise, and `SignInRefused` for an account that is not the one known.
        """
        if self._identify is None:
            return
        async with self._asking:
            if not self.wanted:
                return
            admit()
            try:
                account = await self._identify()
            except (Forbidden, NotFound, Rejected, BadAnswer):
                # Signed in, but it may not see who it is: there is nothing to compare.
                self.wanted = False
                return
            if self._marks is not None:
                known = await self._marks.remember(account)
                if known.identity != account.identity:
                    raise self._another(account, known.identity_sentence)
            self.wanted = False

    def _another(self, account: Account, known: str) -> SignInRefused:
        return SignInRefused(
            self._connection,
            f"{self._connection} signs in to another account than before: {account.sentence} instead of {known}.",
            remedy=f"{self._remedy} To post to the new one on purpose, add --another-account.".strip(),
        )
