"""Calls of SOAP services, over the same connection, sign-in, limits and errors as REST (Oracle Fusion: 3.5, 6.3)."""

from clients.errors import InDoubt, Unavailable, VendorError
from clients.oracle_fusion.rest import FusionRest
from clients.oracle_fusion.soap_document import Element, NotSoapError, enveloped, local, opened
from clients.oracle_fusion.soap_faults import explain_fault


class Soap:
    """One service of a pod. `path` is below the pod's address, `namespace` that of its operations' names."""

    def __init__(self, rest: FusionRest, path: str, namespace: str) -> None:
        self._rest = rest
        self._path = path
        self._namespace = namespace

    async def call(self, request: Element, *, subject: str, write: bool = False, ends: float | None = None) -> Element:
        """The answer to an operation: the element inside the body.

        Raises the errors of `clients.errors`: `Rejected` when the service refused, `InDoubt` when a write may have
        taken effect. `ends`: moment of the event loop's clock at which the call is over.
        """
        response = await self._rest.http.send(
            "POST",
            self._path,
            subject=subject,
            content=enveloped(request),
            headers={
                "Content-Type": "text/xml; charset=UTF-8",
                "Accept": "text/xml, multipart/related",
                "SOAPAction": f'"{self._namespace}{local(request)}"',
            },
            write=write,
            ends=ends,
        )
        try:
            answer = opened(response.content, response.headers.get("content-type", ""))
        except NotSoapError:
            if write:
                raise InDoubt(
                    self._rest.connection.id,
                    f"Oracle Fusion ({self._rest.connection.id}) accepted {subject}, but its answer cannot be read.",
                    status=response.status_code,
                ) from None
            raise self._rest.http.bad_answer(subject, "the answer is no SOAP document") from None
        if local(answer) == "Fault":
            raise self._refusal(answer, subject, response.status_code, InDoubt if write else Unavailable)
        return answer

    def _refusal(self, fault: Element, subject: str, status: int, unless: type[VendorError]) -> VendorError:
        """SOAP lets a fault come with a status that is a success."""
        said = explain_fault(fault)
        kind = said.kind or unless
        words = f": {' / '.join(said.messages)}" if said.messages else ""
        return kind(
            self._rest.connection.id,
            f"Oracle Fusion ({self._rest.connection.id}) answered with a fault for {subject}{words}",
            status=status,
            code=said.code,
            messages=said.messages,
        )
