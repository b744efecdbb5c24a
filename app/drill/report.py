"""The report of a drill as JSON, in the form that the scenario format promises, and the exit status that follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from app.drill.checks import Check, Evidence, run_checks
from app.drill.expect import Expect
from app.drill.expectations import NAME, as_expected
from app.drill.peers import Peers
from app.drill.steps import Script
from app.drill.topics import OpenedException
from app.drill.watch import Latencies, Watch, despatch_latencies, order_latencies

OK, FAILED, WRONG_FILE, NOT_SETTLED = 0, 1, 2, 3


@dataclass(slots=True)
class Outcome:
    """What a drill came to."""

    name: str
    settled: bool
    seconds: float
    checks: dict[str, Check]
    evidence: Evidence
    script: Script
    latency: dict[str, Latencies]
    requests: dict[str, dict[str, int]]
    exceptions: Sequence[OpenedException]
    stock: Mapping[str, Mapping[str, Mapping[str, int]]]
    """SKU to warehouse to available and held."""
    failures: list[str] = field(default_factory=list)
    """Processes of the product that ended by themselves, and what could not be read."""
    expect: Expect = field(default_factory=Expect)
    waiting_for: str = ""
    """Where it did not settle: what was still to be done."""
    no_guarantee: Sequence[str] = ()
    """Products whose last units may be sold twice although their mode is not `shared`, each with its reason."""

    @property
    def ok(self) -> bool:
        """Every check holds, every step was done, it settled and no process failed."""
        return self.settled and not self.broken

    @property
    def broken(self) -> bool:
        """A check or a step failed, or a process."""
        steps = all(r.ok or r.index in self.expect.failed_steps for r in self.script.results)
        checks = all(check.ok or self.expect.excuses(name) for name, check in self.checks.items())
        return bool(self.failures) or not (steps and checks)

    @property
    def status(self) -> int:
        """Exit status: 3 not settled in time, before 1 a check or step failed."""
        if not self.settled:
            return NOT_SETTLED
        return FAILED if self.broken else OK

    def as_dict(self) -> dict[str, Any]:
        """The report."""
        evidence = self.evidence
        return {
            "name": self.name,
            "ok": self.ok,
            "settled": self.settled,
            "seconds": round(self.seconds, 1),
            "checks": {name: check.as_dict() for name, check in self.checks.items()},
            "oversold": self.checks["no_oversell"].more["units"],
            "latency_s": {name: latencies.summary() for name, latencies in self.latency.items()},
            "channels": {name: self._channel(name) for name in evidence.orders},
            "wms": {"orders": self._goods_outs(), "stock": self.stock},
            "exceptions": [e.as_dict() for e in self.exceptions],
            "steps": [result.as_dict() for result in sorted(self.script.results, key=lambda r: r.index)],
            "orders": {"placed": self.script.placed, "turned_away": self.script.turned_away},
            "failures": self.failures,
            "waiting_for": self.waiting_for,
            "no_guarantee": list(self.no_guarantee),
        }

    def _channel(self, name: str) -> dict[str, Any]:
        evidence = self.evidence
        offers = [offer for offer in evidence.offers.all if offer.channel == name]
        return {
            "stock": {offer.name.partition(":")[2]: evidence.shown[offer.name] for offer in offers},
            "orders": {
                order.number: {
                    "state": order.state,
                    "shipments": order.shipments,
                    "refunded": order.refunded,
                    "staff_note": order.staff_note,
                }
                for order in evidence.orders[name]
            },
            "requests": self.requests[name],
            "throttled": evidence.throttled[name][0],
        }

    def _goods_outs(self) -> dict[str, list[dict[str, Any]]]:
        numbers = order_names(self.evidence)
        return {
            numbers.get(upstream, upstream): [
                {
                    "reference": g.reference,
                    "status": g.status,
                    "lines": g.lines,
                    "carrier": g.carrier,
                    "service": g.service,
                    "notes": g.notes,
                    "customer": g.customer,
                    "order_type": g.order_type,
                    "priority": g.priority,
                    "address": g.address,
                    "references": g.references,
                }
                for g in goods_outs
            ]
            for upstream, goods_outs in sorted(self.evidence.goods_outs.items())
        }


def order_names(evidence: Evidence) -> dict[str, str]:
    """Order key `channel:order id` to the file's `channel:id`."""
    return {f"{channel}:{order.order_id}": f"{channel}:{order.number}" for channel, order in evidence.every()}


def gather(peers: Peers, script: Script, opening: Mapping[str, int], exceptions: Sequence[OpenedException]) -> Evidence:
    """Everything the checks look at, as it is now."""
    sent = {name: list(storefront.notifier.sent) for name, storefront in peers.storefronts.items()}
    return Evidence(
        offers=peers.offers,
        orders=peers.orders(),
        goods_outs=peers.goods_outs(),
        truth=peers.truth(),
        shown=dict(peers.shown()),
        opening=opening,
        bookings=[e for e in peers.clarus.journal.entries[peers.opening :] if "qty" in e],
        raised=script.raised,
        notifications={"clarus": list(peers.clarus.notifier.sent), **sent},
        throttled={n: (s.journal.throttled(), s.journal.throttled("limit")) for n, s in peers.storefronts.items()},
        exceptions=list(exceptions),
        in_shadow=set(peers.in_shadow),
        returns=peers.returns(),
        shares=_shares(peers),
        sent_back=script.sent_back,
        first=_first_refunds(peers),
    )


def _shares(peers: Peers) -> dict[str, Fraction]:
    given = peers.file.settings.returns
    return {
        "restock": Fraction(given.restocked),
        "quarantine": Fraction(given.quarantined),
        "scrap": Fraction(given.scrapped),
    }


def _first_refunds(peers: Peers) -> dict[str, tuple[int, int]]:
    """When each order was first inspected and first refunded, by the peers' own journals."""
    inspected: dict[str, int] = {}
    for entry in peers.clarus.journal.entries:
        if entry["what"] == "return inspected":
            inspected.setdefault(entry["order"], entry["at"])
    found: dict[str, tuple[int, int]] = {}
    for channel, orders in peers.orders().items():
        keys = {order.number: f"{channel}:{order.order_id}" for order in orders}
        for entry in peers.storefronts[channel].journal.entries:
            if entry["what"] == "refund":
                name = f"{channel}:{entry['order']}"
                found.setdefault(name, (inspected.get(keys.get(entry["order"], ""), 0), entry["at"]))
    return found


def conclude(
    peers: Peers,
    script: Script,
    watch: Watch,
    opening: Mapping[str, int],
    exceptions: Sequence[OpenedException],
    *,
    settled: bool,
    seconds: float,
    failures: list[str],
    waiting_for: str,
    no_guarantee: Sequence[str],
) -> Outcome:
    """Run the checks and put the outcome together."""
    evidence = gather(peers, script, opening, exceptions)
    names = order_names(evidence)
    placed = {
        channel: {o.order_id: o.placed_at for o in orders if (channel, o.number) not in script.unpaid}
        for channel, orders in evidence.orders.items()
    }
    created: dict[str, dict[str, int]] = {}
    for upstream, goods_outs in evidence.goods_outs.items():
        channel, _, order_id = upstream.partition(":")
        created.setdefault(channel, {})[order_id] = min(g.created_at for g in goods_outs)
    outcome = Outcome(
        name=peers.file.name,
        settled=settled,
        seconds=seconds,
        checks=run_checks(evidence),
        evidence=evidence,
        script=script,
        latency={
            "stock_to_channel": watch.latency,
            "order_to_wms": order_latencies(placed, created),
            "despatch_to_channel": despatch_latencies(
                peers.clarus.journal.entries,
                {name: peer.journal.entries for name, peer in peers.storefronts.items()},
                names,
            ),
        },
        requests={name: peer.journal.requests() for name, peer in peers.storefronts.items()},
        exceptions=[replace(e, entity=names.get(e.entity, e.entity)) for e in exceptions],
        stock=peers.clarus.stock(),
        failures=failures,
        waiting_for=waiting_for,
        no_guarantee=no_guarantee,
        expect=peers.file.expect,
    )
    if peers.file.expect.model_fields_set:
        outcome.checks[NAME] = as_expected(peers.file.expect, outcome.as_dict())
    return outcome
