"""The simulators that ship with the product, made as a drill file says. Only this module of the drill knows their classes."""

from app.drill.file import BigCommerceChannel, DrillFile
from app.drill.peers import floor_speed, lag_seconds
from app.settings import ms
from app.simulators.bigcommerce.orders import FIRST_ORDER
from app.simulators.bigcommerce.simulator import BigCommerceSimulator
from app.simulators.clarus.simulator import ClarusSimulator
from app.simulators.commercetools.simulator import CommercetoolsSimulator
from app.simulators.contract import StorefrontSimulator, WarehouseSimulator

APPLY_SECONDS = ms("2s") / 1000
VISIBLE_SECONDS = ms("2s") / 1000


class RealPeers:
    """Makes them."""

    def warehouse(self, file: DrillFile) -> WarehouseSimulator:
        """Clarus with the file's warehouses, carriers, customers and order types."""
        clarus = ClarusSimulator(
            "clarus",
            file.seed,
            warehouses=file.warehouses,
            floor=floor_speed(file),
            package_contents="stocks",
            receipt_lines="lines",
        )
        for shipping in file.shipping.values():
            if shipping.carrier:
                clarus.add_service(shipping.carrier, shipping.service)
        for release in file.release.values():
            if release.customer and "{" not in release.customer:
                clarus.add_customer(release.customer)
            if release.order_type:
                clarus.add_order_type(release.order_type)
        return clarus

    def storefront(self, name: str, file: DrillFile) -> StorefrontSimulator:
        """One channel of the file."""
        channel = file.channels[name]
        if isinstance(channel, BigCommerceChannel):
            return BigCommerceSimulator(
                name,
                file.seed,
                plan=channel.plan,
                order_lag=lag_seconds(channel),
                apply_max=APPLY_SECONDS,
                restock_on_cancel=channel.restock_on_cancel,
                rate=channel.rate,
                first_order=_after_those_named(name, file),
            )
        return CommercetoolsSimulator(
            name,
            file.seed,
            order_lag=lag_seconds(channel),
            rate=channel.rate,
            visible_lag=VISIBLE_SECONDS,
            restock_on_cancel=channel.restock_on_cancel,
        )


def _after_those_named(channel: str, file: DrillFile) -> int:
    """The number of the first order of a load: beyond all that the file's own orders have."""
    given = [step.order.id for step in file.steps if step.order is not None and step.order.channel == channel]
    return max([FIRST_ORDER, *(int(number) + 1 for number in given if number.isdecimal())])
