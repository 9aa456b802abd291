"""What the buttons on the pages of the pod do."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from sandbox.fusion.world import GENERAL_LEDGER, PAYABLES, RECEIVABLES, ClosingStatus
from sandbox.kit import Form
from sandbox.kit.pages import Act
from sandbox.kit.wording import counted

if TYPE_CHECKING:
    from sandbox.fusion.twin import FusionTwin

MOST_ITEMS = 20_000
"""Items one button adds."""
_APPLICATIONS = {GENERAL_LEDGER: "the general ledger", PAYABLES: "Payables", RECEIVABLES: "Receivables"}
_WORDS = {"O": "open", "F": "future-enterable", "C": "closed", "N": "never opened", "P": "permanently closed"}


class Buttons:
    """Each method takes the form of its button and says in a sentence what it did."""

    def __init__(self, twin: FusionTwin) -> None:
        self._twin = twin

    def acts(self) -> dict[str, Act]:
        """By the name in the form."""
        return {
            "period": self.period,
            "account": self.account,
            "tokens": self.tokens,
            "autopost": self.autopost,
            "unapply": self.unapply,
            "customer": self.customer,
            "item": self.item,
            "seed_items": self.seed_items,
        }

    def period(self, form: Form) -> str:
        status = form.text("status")
        if status not in get_args(ClosingStatus):
            raise ValueError(f"There is no closing status {status!r}.")
        application = form.integer("application", least=1, most=10**6, otherwise=GENERAL_LEDGER)
        if application not in _APPLICATIONS:
            raise ValueError(f"There is no application {application}.")
        ledger, period = form.text("ledger"), form.text("period")
        self._twin.set_period(ledger, period, cast(ClosingStatus, status), application=application)
        return f"{period} of {ledger} is now {_WORDS[status]} in {_APPLICATIONS[application]}."

    def account(self, form: Form) -> str:
        """Enable or disable an account, or let the import refuse it although lists show a good one."""
        account, wanted = form.text("account"), form.text("wanted")
        match wanted:
            case "works":
                self._twin.set_account(account, enabled=True, import_refuses=None)
                return f"Account {account} works again."
            case "disabled":
                self._twin.set_account(account, enabled=False)
                return f"Account {account} is disabled."
            case "refused":
                self._twin.set_account(account, import_refuses="EF03")
                return f"Imports refuse account {account} with EF03, although lists show it as good."
        raise ValueError(f"An account cannot be {wanted!r}.")

    def tokens(self, form: Form) -> str:
        self._twin.identity.revoke()
        return "Every token has ended: the next call with one is answered with 401."

    def autopost(self, form: Form) -> str:
        habits = self._twin.world.habits
        habits.autopost = form.text("on") == "yes"
        return f"Imported journals are {'posted by themselves' if habits.autopost else 'left unposted'} from now on."

    def unapply(self, form: Form) -> str:
        """A person takes an application of a credit memo back."""
        taken = self._twin.receivables.applications.unapply(form.integer("application_id", least=1, most=10**18))
        return (
            f"{taken.amount} {taken.memo.currency} of credit memo {taken.memo.number} are not applied to invoice "
            f"{taken.invoice.number} any more."
        )

    def customer(self, form: Form) -> str:
        """Let nothing be billed to a customer account, or all again."""
        number, enabled = form.text("number"), form.text("enabled") == "yes"
        self._twin.set_customer(number, enabled=enabled)
        return f"Customer account {number} {'can be billed again' if enabled else 'cannot be billed any more'}."

    def item(self, form: Form) -> str:
        """Somebody changes the description of an item."""
        number, organization = form.text("number"), form.text("organization")
        rows = self._twin.items.numbered(number, organization)
        if not rows or not form.text("description"):
            raise LookupError(f"There is no item {number} in {organization}, or no description for it.")
        for row in rows:
            self._twin.items.touch(row, ItemDescription=form.text("description"))
        return f"Item {number} of {organization} was changed."

    def seed_items(self, form: Form) -> str:
        count = form.integer("count", least=1, most=MOST_ITEMS)
        self._twin.items.seed(count)
        return f"{counted(count, 'item')} more, each changed a second after the one before."
