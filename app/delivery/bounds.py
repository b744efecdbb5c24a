"""The time bounds of one channel, from the settings and from what its peer is."""

from app.connectors.contract import Storefront
from app.settings import BoundSettings
from tables.deliveries.peers import Bounds, PeerKind


def bounds_of(peer: Storefront | type[Storefront], given: BoundSettings) -> Bounds:
    """Only an asynchronous peer applies late, only commercetools shows late; order times are as coarse as the peer's."""
    return Bounds(
        late_max=given.late_max,
        apply_max=given.apply_max if peer.kind is PeerKind.RELATIVE else 0,
        visible_lag=given.visible_lag if peer.kind is PeerKind.VERSIONED else 0,
        order_slack=peer.order_resolution_ms,
    )
