"""Plays the steps of a file at their times and writes down what became of each. Time 0 and the end are decided by `app.drill.run`."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.drill.file import STEP_KINDS, DrillFile, FaultStep, KillStep, OrderStep, ReturnStep, Step, WmsStep
from app.drill.load import Shoppers, run_load
from app.drill.peers import Peers
from app.drill.references import resolve
from app.simulators.base import Fault
from app.simulators.contract import NewLine, NewOrder, OddLine, StepRefused, StorefrontOrder

Kill = Callable[[KillStep], Awaitable[None]]
Freeze = Callable[[float], Awaitable[None]]
GoLive = Callable[[str], Awaitable[None]]
Authorise = Callable[[str, str, Mapping[str, int]], Awaitable[None]]
"""Order key, name of the return, the channel's SKU to selling units."""


@dataclass(slots=True)
class StepResult:
    """What became of one step. `booked`: what the warehouse really booked, or by how much a storefront's figure was raised."""

    index: int
    at: int
    what: str
    ok: bool = True
    detail: str = ""
    booked: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For the report."""
        result: dict[str, Any] = {"step": self.index, "at_s": self.at / 1000, "what": self.what, "ok": self.ok}
        if self.booked is not None:
            result["booked"] = self.booked
        if self.detail:
            result["detail"] = self.detail
        return result


@dataclass(slots=True)
class Script:
    """What the steps did: the drill's own account of it, next to the peers' journals."""

    results: list[StepResult] = field(default_factory=list)
    placed: int = 0
    turned_away: int = 0
    unpaid: set[tuple[str, str]] = field(default_factory=set)
    raised: dict[tuple[str, str], int] = field(default_factory=dict)
    """(channel, channel SKU) to selling units raised by hand."""
    sent_back: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """(channel, order number) to selling units by channel SKU that customers sent back."""
    on_movement: Callable[[str], None] = lambda sku: None
    """Told the Clarus code of every stock movement."""


class Player:
    """Plays one file. `kill` ends a process of the product, `freeze` stops the broker for so many seconds, `live` ends a channel's shadow, `authorise` raises
    a return at the product."""

    def __init__(
        self, file: DrillFile, peers: Peers, kill: Kill, freeze: Freeze, live: GoLive, authorise: Authorise
    ) -> None:
        self._file, self._peers, self._kill, self._freeze = file, peers, kill, freeze
        self._live, self._authorise = live, authorise
        self._usual = next(iter(file.shipping), "")
        self._returns = 0
        self.script = Script()
        self._places = {(s.order.channel, s.order.id): 1 for s in file.steps if s.order is not None}
        self._ids: dict[tuple[str, str], str] = {}
        self._refused: dict[tuple[str, str], str] = {}
        self._loads = 0
        self._turns: dict[tuple[str, str], asyncio.Lock] = {place: asyncio.Lock() for place in self._places}

    async def play(self, zero: float) -> None:
        """Play every step at its time after `zero` (monotonic); returns when all are done."""
        async with asyncio.TaskGroup() as group:
            ordered = sorted(enumerate(self._file.steps), key=lambda pair: pair[1].at)
            for index, step in ordered:
                if (wait := zero + step.at / 1000 - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                task = group.create_task(self._one(index, step), name=f"step {index}")
                await asyncio.sleep(0)
                if step.order is not None:
                    await asyncio.wait([task])

    async def _one(self, index: int, step: Step) -> None:
        result = StepResult(index, step.at, describe(step))
        self.script.results.append(result)
        try:
            result.booked = await self._act(step)
        except (StepRefused, KeyError) as error:
            result.ok, result.detail = False, str(error.args[0])
            if step.order is not None:
                self._refused[step.order.channel, step.order.id] = result.detail

    async def _act(self, step: Step) -> int | None:
        storefronts = self._peers.storefronts
        if step.order is not None:
            given = step.order
            order = await storefronts[given.channel].place(new_order(given, self._usual))
            self._ids[given.channel, given.id] = order.order_id
            self.placed(given.channel, order, given.paid)
        elif step.pay is not None:
            await storefronts[step.pay.channel].pay(step.pay.id)
        elif step.edit is not None:
            edited = None if step.edit.lines is None else [NewLine(line.sku, line.qty) for line in step.edit.lines]
            await storefronts[step.edit.channel].edit(step.edit.id, edited, step.edit.address)
        elif step.cancel is not None:
            await storefronts[step.cancel.channel].cancel(step.cancel.id)
        elif step.wms is not None:
            return await self._warehouse(step.wms)
        elif step.returned is not None:
            await self._send_back(step.returned)
        elif step.channel is not None and step.channel.refund is not None:
            refund = step.channel.refund
            back = [NewLine(line.sku, line.qty) for line in refund.lines]
            await storefronts[refund.channel].refund_by_hand(refund.id, back)
        elif step.channel is not None and step.channel.set_stock is not None:
            edit = step.channel.set_stock
            raised = await storefronts[edit.channel].set_stock(edit.sku, edit.qty, edit.location)
            key = edit.channel, edit.sku
            self.script.raised[key] = self.script.raised.get(key, 0) + max(0, raised)
            return raised
        elif step.fault is not None:
            await self._fault(step.fault)
        elif step.kill is not None:
            await self._kill(step.kill)
        elif step.load is not None:
            self._loads += 1
            rng = random.Random(f"{self._file.seed}:load:{self._loads}")
            shoppers = Shoppers(step.load, self._peers.offers, step.load.channels or list(storefronts), rng)
            if shoppers.empty:
                raise StepRefused("none of these products is listed at any of these channels")
            await run_load(step.load, shoppers, storefronts, self, self._usual)
        elif step.go_live is not None:
            await self._go_live(step.go_live.channel)
        return None

    async def _send_back(self, given: ReturnStep) -> None:
        """The storefront authorises the return; where it has no returns, somebody does with the product's own command."""
        lines = [NewLine(line.sku, line.qty) for line in given.lines]
        authorised = await self._peers.storefronts[given.channel].send_back(given.id, lines)
        units: dict[str, int] = {}
        sent_back = self.script.sent_back.setdefault((given.channel, given.id), {})
        for line in given.lines:
            units[line.sku] = units.get(line.sku, 0) + line.qty
            sent_back[line.sku] = sent_back.get(line.sku, 0) + line.qty
        if authorised:
            return
        self._returns += 1
        await self._authorise(
            f"{given.channel}:{self._ids.get((given.channel, given.id), '')}", f"R-{self._returns}", units
        )

    async def _go_live(self, channel: str) -> None:
        written = self._peers.writes(channel)
        await self._live(channel)
        self._peers.in_shadow.discard(channel)
        if written:
            raise StepRefused(f"{channel} got {len(written)} writes while in shadow, the first: {written[0]}")

    def placed(self, channel: str, order: StorefrontOrder, paid: bool = True) -> None:
        """A storefront accepted an order."""
        self.script.placed += 1
        if not (paid and order.paid):
            self.script.unpaid.add((channel, order.number))

    def turned_away(self, channel: str) -> None:
        """A customer found nothing to buy."""
        self.script.turned_away += 1

    async def _warehouse(self, wms: WmsStep) -> int | None:
        clarus = self._peers.clarus
        if wms.receive is not None:
            return self._moved(wms.receive.sku, clarus.receive(wms.receive.sku, wms.receive.warehouse, wms.receive.qty))
        if wms.adjust is not None:
            return self._moved(wms.adjust.sku, clarus.adjust(wms.adjust.sku, wms.adjust.warehouse, wms.adjust.qty))
        if wms.hold is not None:
            return self._moved(wms.hold.sku, clarus.hold(wms.hold.sku, wms.hold.warehouse, wms.hold.qty))
        if wms.release is not None:
            return self._moved(wms.release.sku, clarus.release(wms.release.sku, wms.release.warehouse, wms.release.qty))
        if wms.move is not None:
            move = wms.move
            return self._moved(move.sku, clarus.move(move.sku, move.source, move.target, move.qty))
        back = wms.receive_return or wms.inspect
        if back is not None:
            place = resolve(back.order, self._places)[0]
            async with self._turns[place]:
                upstream = await self._returning(*place)
                if wms.inspect is not None:
                    inspected = [(line.sku, line.qty, line.outcome) for line in wms.inspect.lines]
                    clarus.inspect(upstream, inspected, wms.inspect.outcome)
                else:
                    clarus.receive_return(upstream, [(line.sku, line.qty) for line in back.lines])
        order = wms.allocate or wms.despatch or wms.undespatch or wms.short or wms.pick or wms.unallocate or wms.cancel
        if order is not None:
            place = resolve(order.order, self._places)[0]
            async with self._turns[
                place
            ]:  # first come, first served: the steps of an order stay in their order while they wait for it
                upstream = await self._upstream(*place)
                if wms.undespatch is not None:
                    clarus.undespatch(upstream)
                elif wms.short is not None:
                    clarus.short(upstream)
                elif wms.pick is not None:
                    clarus.pick(upstream)
                elif wms.unallocate is not None:
                    clarus.unallocate(upstream)
                elif wms.cancel is not None:
                    clarus.cancel(upstream)
                elif wms.despatch is not None:
                    clarus.despatch(upstream, [parcel.model_dump() for parcel in wms.despatch.parcels])
                else:
                    clarus.allocate(upstream)
        return None

    def _moved(self, sku: str, booked: int) -> int:
        self.script.on_movement(sku)
        return booked

    async def _returning(self, channel: str, number: str) -> str:
        """The order key of an order of the file, once one of its returns that is not complete is announced; waits for that at most `settle`."""
        deadline = time.monotonic() + self._file.settle / 1000
        key = f"{channel}:{self._ids.get((channel, number), '')}"
        while time.monotonic() < deadline:
            self._may_come(channel, number)
            if any(one.upstream == key and one.status != "completed" for one in self._peers.clarus.returns()):
                return key
            await asyncio.sleep(0.05)
        raise StepRefused(
            f"{channel}:{number}: no return of it was announced to the warehouse within {self._file.settle / 1000:g} s"
        )

    def _may_come(self, channel: str, number: str) -> None:
        """Nothing comes of an order that its storefront refused."""
        if why := self._refused.get((channel, number)):
            raise StepRefused(
                f"{channel}:{number}: its storefront refused this order, so the warehouse never gets it: {why}"
            )

    async def _upstream(self, channel: str, number: str) -> str:
        """The order key of an order of the file, once the warehouse knows the order; waits for that at most `settle`."""
        deadline = time.monotonic() + self._file.settle / 1000
        while time.monotonic() < deadline:
            self._may_come(channel, number)
            key = f"{channel}:{self._ids.get((channel, number), '')}"
            there = [g.status for g in self._peers.clarus.orders() if g.upstream == key]
            if any(status != "DELETED" for status in there):
                return key
            if there:
                raise StepRefused(f"{channel}:{number}: the warehouse has deleted this order; it is not sent again")
            await asyncio.sleep(0.05)
        raise StepRefused(
            f"{channel}:{number}: the warehouse did not get this order within {self._file.settle / 1000:g} s"
        )

    async def _fault(self, given: FaultStep) -> None:
        seconds = given.lasts / 1000
        if given.peer == "kafka":
            return await self._freeze(seconds)
        peer = self._peers.clarus if given.peer == "clarus" else self._peers.storefronts[given.peer]
        peer.faults.add(
            Fault(
                kind=given.kind,
                until=time.monotonic() + seconds,
                share=given.share,
                status=given.status,
                retry_after=None if given.retry_after is None else given.retry_after / 1000,
                after_effect=given.after_effect,
                delay=None if given.delay is None else (given.delay[0] / 1000, given.delay[1] / 1000),
                duplicate=given.duplicate,
                drop=given.drop,
                reorder=given.reorder,
                forge=given.forge,
            )
        )
        return await asyncio.sleep(seconds)


def new_order(given: OrderStep, usual: str) -> NewOrder:
    """`usual` is the shipping method of an order that names none."""
    lines = [NewLine(line.sku, line.qty) for line in given.lines or []]
    entered = given.entered
    return NewOrder(
        given.id,
        lines,
        given.paid,
        usual if given.shipping is None else given.shipping,
        given.note,
        given.gift,
        given.address,
        int(given.discount * 100),
        given.fields,
        None if entered is None else [OddLine(one.sku, one.qty, one.currency, one.id) for one in entered],
    )


def describe(step: Step) -> str:
    """A step in a few words."""
    if step.wms is not None:
        name = next(n for n in type(step.wms).model_fields if getattr(step.wms, n) is not None)
        what = getattr(step.wms, name)
        return f"wms {name} {getattr(what, 'sku', None) or getattr(what, 'order', '')}"
    if step.channel is not None and step.channel.set_stock is not None:
        return f"set_stock {step.channel.set_stock.channel}:{step.channel.set_stock.sku}"
    if step.channel is not None and step.channel.refund is not None:
        return f"refund by hand {step.channel.refund.channel}:{step.channel.refund.id}"
    if step.fault is not None:
        return f"fault {step.fault.peer} {step.fault.kind}"
    if step.kill is not None:
        return f"kill {step.kill.process} {step.kill.signal}, disk {step.kill.disk}"
    if step.load is not None:
        return f"load {step.load.orders_per_second:g} orders/s for {step.load.lasts / 1000:g} s"
    if step.go_live is not None:
        return f"go_live {step.go_live.channel}"
    for name in STEP_KINDS:
        given = getattr(step, "returned" if name == "return" else name)
        if given is not None:
            return f"{name} {given.channel}:{given.id}"
    return "nothing"
