"""The one tree of errors of calls to peers. Each says what happened, to which peer and request, and so what may be done next."""


class PeerError(Exception):
    """Base: `peer` is the channel or `clarus`, `request` a short description without secrets or personal data.

    `status` is the HTTP status of the answer that said so, 0 where there was none.
    """

    def __init__(
        self, peer: str, request: str, detail: str, *, retry_after: float | None = None, status: int = 0
    ) -> None:
        super().__init__(f"{peer}: {request}: {detail}")
        self.peer, self.request, self.detail, self.retry_after = peer, request, detail, retry_after
        self.status = status


class Unavailable(PeerError):
    """The request certainly had no effect: connection refused, breaker open, 503 before any work. Try again later."""


class NotSent(Unavailable):
    """We kept it back: the peer failed repeatedly a moment ago, or the channel's owner stops. It says nothing new of the peer."""


class ReadOnly(NotSent):
    """This transport lets nothing through that would change something at the peer."""


class Throttled(Unavailable):
    """429. Nothing happened; wait `retry_after` seconds where given."""


class Unauthorised(Unavailable):
    """401 or 403 after one renewal of the token: the credentials or scopes are wrong."""


class OutcomeUnknown(PeerError):
    """The request may have had its effect: time-out, reset, 5xx to a write. Resolve it by looking before any repeat."""


class Refused(PeerError):
    """The peer understood and said no (4xx). Repeating the same request is pointless."""


class Malformed(PeerError):
    """The answer is not what the peer's documentation says."""
