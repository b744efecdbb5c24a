"""The OPERATIONS agent: turns operators' commands into commands for the channels they concern. It keeps nothing: a pause is a row beside the channel's own.

A target is a channel (`clarus` too) or a SKU; where both have the same name it is the channel.
"""

from collections.abc import Iterable

from agents.emit import Emitter, Place
from agents.watch import Unwatched, Watch
from app.engine.api import Batch
from schemas import catalogue as topics
from schemas.codec import Codecs, UndecodableRecord
from schemas.records import (
    AuthoriseReturn,
    ChannelMode,
    ExceptionCommand,
    OperatorCommand,
    OperatorState,
    ReadListing,
    ReadStock,
)
from tables.catalogue import Catalogue, Product
from tables.deliveries.pauses import WHOLE

Command = OperatorState | ChannelMode | ReadListing | ReadStock | ExceptionCommand | AuthoriseReturn


class Operations:
    """One worker's OPERATIONS agent. `channels` are the storefronts, `warehouse` is the warehouse's channel."""

    def __init__(
        self,
        catalogue: Catalogue,
        channels: Iterable[str],
        warehouse: str,
        codecs: Codecs,
        place: Place,
        watch: Watch | None = None,
    ) -> None:
        self._catalogue, self._channels, self._warehouse = catalogue, frozenset(channels), warehouse
        self._codecs, self._place, self._watch = codecs, place, watch or Unwatched()

    def fold(self, batch: Batch) -> None:
        """All records of one partition of one poll."""
        codec = self._codecs[topics.OPERATIONS_COMMANDS]
        done = failed = first = 0
        for record in batch.records:
            try:
                event = codec.decode(record.value)
                commands = self._commands(event.body)
            except (UndecodableRecord, ValueError) as error:
                batch.dead_letter(record, str(error))
                failed += 1
                continue
            done += 1
            first = first or event.occurred_at
            origin = f"{batch.topic}:{batch.partition}:{record.offset}"
            emit = Emitter(self._codecs, batch, origin, event, "operator", event.received_at)
            for key, command in commands:
                if isinstance(command, AuthoriseReturn) or not command.channel:
                    emit.send(topics.ORDERS_EVENTS, key, command)
                else:
                    emit.send(topics.CHANNEL_COMMANDS, key, command, partition=self._place(command.channel))
        self._watch.batch(batch.topic, first, done, 0, failed)

    def _commands(self, body: OperatorCommand) -> list[tuple[str, Command]]:
        """What follows, by key. ValueError where nothing can."""
        match body.action:
            case "pause" | "resume":
                paused = body.action == "pause"
                return [
                    (
                        f"operator/{channel}/{target}",
                        OperatorState(
                            channel=channel, target=target, paused=paused, actor=body.actor, reason=body.reason
                        ),
                    )
                    for channel, target in self._targets(body)
                ]
            case "go_live" | "go_shadow":
                return [self._mode(body)]
            case "resync":
                return self._resync(body)
            case "acknowledge" | "resolve" | "retry" | "differs" | "agrees":
                return [self._exception(body)]
            case "authorise_return":
                return [self._authorise(body)]
        raise ValueError(
            f"operator's command {body.action} is not supported: use pause, resume, resync, go_live, go_shadow, acknowledge, resolve, retry or"
            " authorise_return"
        )

    def _authorise(self, body: OperatorCommand) -> tuple[str, Command]:
        channel, _, order_id = body.target.partition(":")
        if channel not in self._channels or not order_id:
            raise ValueError(f"operator's command for {body.target}: it is no order of a channel of this configuration")
        if not body.holder or not body.lines or any(units < 1 for units in body.lines.values()):
            raise ValueError(
                f"operator's command for {body.target}: a return needs its name, and lines of at least 1 unit"
            )
        given = AuthoriseReturn(return_id=body.holder, lines=body.lines, actor=body.actor, reason=body.reason)
        return body.target, given

    def _mode(self, body: OperatorCommand) -> tuple[str, Command]:
        if body.target != self._warehouse and body.target not in self._channels:
            raise ValueError(f"operator's command for {body.target}: only a channel goes live or into shadow")
        mode = ChannelMode(channel=body.target, shadow=body.action == "go_shadow", actor=body.actor, reason=body.reason)
        return f"mode/{body.target}", mode

    def _exception(self, body: OperatorCommand) -> tuple[str, Command]:
        """To whoever holds the exception: the order's row, or the channel's."""
        kind, _, name = body.holder.partition("/")
        if kind == "channel" and name != self._warehouse and name not in self._channels:
            raise ValueError(f"operator's command for {body.target}: {name} is no channel of this configuration")
        if kind not in ("order", "channel") or not name:
            raise ValueError(f"operator's command for {body.target}: {body.holder!r} holds no exceptions")
        channel = name if kind == "channel" else ""
        command = ExceptionCommand(
            channel=channel, exception_id=body.target, action=body.action, actor=body.actor, reason=body.reason
        )
        return (f"exception/{body.target}/{body.action}" if channel else name), command

    def _targets(self, body: OperatorCommand) -> list[tuple[str, str]]:
        """Channel and target in it: one row in the partition of each channel concerned."""
        if body.target == self._warehouse or body.target in self._channels:
            return [(body.target, WHOLE)]
        listings = self._product(body.target).listings
        if not listings:
            raise ValueError(f"operator's command for {body.target}: it is listed nowhere")
        return [(channel, body.target) for channel in sorted({listing.channel for listing in listings})]

    def _resync(self, body: OperatorCommand) -> list[tuple[str, Command]]:
        why = f"operator: {body.actor}: {body.reason}"
        if body.target in self._channels:
            whole = ReadListing(channel=body.target, listing="", reason=why)
            return [(f"read-back/{body.target}", whole)]
        if body.target == self._warehouse:
            return self._reads([sku for sku, product in self._catalogue.products.items() if not product.bundle])
        product = self._product(body.target)
        return [
            *self._reads(product.bundle or [product.sku]),
            *(
                (f"read-back/{x.id}", ReadListing(channel=x.channel, listing=x.id, reason=why))
                for x in product.listings
            ),
        ]

    def _reads(self, skus: Iterable[str]) -> list[tuple[str, Command]]:
        return [(f"read/{sku}", ReadStock(channel=self._warehouse, sku=sku, reason="operator")) for sku in skus]

    def _product(self, sku: str) -> Product:
        known = self._catalogue.products.get(sku)
        if known is None:
            raise ValueError(f"operator's command for {sku}: neither a channel nor a SKU of this configuration")
        return known
