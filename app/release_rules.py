"""The release rules' view of a configuration: what goods outs carry for each channel, and how Clarus takes texts."""

from app.settings import ReleaseSettings, Settings
from tables.orders.rules import Instruction, ReleaseRules, Wording


def release_rules(settings: Settings) -> dict[str, ReleaseRules]:
    """By channel; a channel's own fields replace those of `*`."""
    every = settings.release.get("*", ReleaseSettings())
    return {name: _rules(_over(every, settings.release.get(name))) for name in settings.channels}


def wording(settings: Settings) -> Wording:
    """Of the one Clarus."""
    clarus = settings.clarus
    return Wording(
        clarus.delivery_note_field,
        clarus.gift_note_field,
        clarus.short_text_limit,
        clarus.note_limit,
        clarus.emoji == "keep",
    )


def _over(every: ReleaseSettings, own: ReleaseSettings | None) -> ReleaseSettings:
    return (
        every if own is None else every.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
    )


def _rules(given: ReleaseSettings) -> ReleaseRules:
    return ReleaseRules(
        address_needed=given.address == "required",
        purchase_order_needed=given.purchase_order == "required",
        customer=given.customer,
        order_type=given.order_type,
        phone=given.phone,
        email=given.email,
        lead=given.lead,
        line_notes_to=given.line_notes,
        instructions=tuple(
            Instruction(one.field, one.to, one.text, frozenset(value.lower() for value in one.when))
            for one in given.instructions
        ),
    )
