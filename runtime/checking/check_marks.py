"""What workers have marked on their connections, as findings: refused, or down for too long."""

from collections.abc import Iterable

from runtime.checking.findings import Finding, Level
from runtime.operations.ages import age
from runtime.operations.connection_standing import ConnectionStanding
from store.rows import ConnectionHealth


def mark_findings(connections: Iterable[ConnectionStanding]) -> list[Finding]:
    """One for each connection that does not work. A short outage is a warning: it ends by itself."""
    return [_finding(one) for one in connections if one.state is not ConnectionHealth.WORKING]


def lasting(connection: ConnectionStanding) -> str:
    """`for 3 h 12 min; 52 documents wait. Oracle Fusion (fusion) could not be reached ...`"""
    waiting = "" if connection.waiting is None else f"; {_documents(connection.waiting)}"
    said = f". {connection.sentence}" if connection.sentence else ""
    return f"for {age(connection.lasts)}{waiting}{said}"


def _finding(connection: ConnectionStanding) -> Finding:
    if connection.state is ConnectionHealth.MISCONFIGURED:
        return Finding(
            level=Level.MISTAKE,
            subject=connection.connection,
            sentence=f"Workers are refused {lasting(connection)}",
            remedy=(
                "Do what the sentence says; workers go on within seconds of a new secret. If it is in order again by "
                f"itself: ml-connector connections test {connection.connection}"
            ),
        )
    return Finding(
        level=Level.UNPROVED if connection.overdue else Level.WARNING,
        subject=connection.connection,
        sentence=f"Workers cannot use it {lasting(connection)}",
        remedy=(
            f"Find out why it is down: ml-connector connections test {connection.connection}. Nothing is lost: "
            "documents wait as long as it takes and go on by themselves."
        ),
    )


def _documents(count: int) -> str:
    return "1 document waits" if count == 1 else f"{count} documents wait"
