"""What lies in the simulated warehouses: stock records, balances and their movements. Knows nothing of orders but the quantities they hold."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from app.simulators.base import Journal, now_ms
from app.simulators.clarus.model import Balance, Location, Product, Stock, Transaction, Warehouse

Raised = Callable[[Product], None]
Event = Callable[[str, Transaction, Balance], None]
Changed = Callable[[Balance], None]


class Stockroom:
    """All stock of one account. Every change is journalled, gets a transaction and is told to `changed`; more available stock also to `raised`."""

    def __init__(self, warehouses: Sequence[str], journal: Journal) -> None:
        self._journal = journal
        self._ids = iter(range(100, 1 << 40))
        self.warehouses = {code: Warehouse(n, code, f"Warehouse {code}") for n, code in enumerate(warehouses, 1)}
        self.locations: dict[int, Location] = {}
        self._bays: dict[tuple[str, str], Location] = {}
        for warehouse in self.warehouses.values():
            for code in ("RACK-01", "RACK-02", "QA-01", "GOBAY-01"):
                location = Location(next(self._ids), f"{warehouse.code}-{code}", warehouse)
                self.locations[location.id] = self._bays[warehouse.code, code] = location
        self.products: dict[str, Product] = {}
        self.products_by_id: dict[int, Product] = {}
        self._balances: dict[tuple[int, int], Balance] = {}
        self.stocks: dict[int, Stock] = {}
        self.transactions: list[Transaction] = []
        self.raised: Raised = lambda product: None
        self.changed: Changed = lambda balance: None
        self.event: Event = lambda name, transaction, balance: None

    def add_product(self, code: str) -> Product:
        """Create a product; the same code is the same product."""
        if code not in self.products:
            product = self.products[code] = Product(next(self._ids), code)
            self.products_by_id[product.id] = product
        return self.products[code]

    def add_bundle(self, code: str, materials: Mapping[str, int]) -> Product:
        """Create a bill of materials that is assembled on pick."""
        product = self.add_product(code)
        product.materials = [(self.add_product(part), n) for part, n in materials.items()]
        return product

    def balance(self, product: Product, warehouse: Warehouse) -> Balance:
        """The balance of a product in a warehouse; made where there is none yet."""
        key = product.id, warehouse.id
        if key not in self._balances:
            self._balances[key] = Balance(product, warehouse)
        return self._balances[key]

    def balances(self, product: Product | None = None) -> Iterator[Balance]:
        """All balances that exist, or those of one product."""
        if product is None:
            yield from self._balances.values()
            return
        for warehouse in self.warehouses.values():
            if (product.id, warehouse.id) in self._balances:
                yield self._balances[product.id, warehouse.id]

    def balance_of(self, stock: Stock) -> Balance:
        """The balance a stock record belongs to."""
        return self.balance(stock.product, stock.location.warehouse)

    # ---- movements --------------------------------------------------------------------------------------------------------------------------

    def receive(self, balance: Balance, quantity: int) -> int:
        """Goods in; returns what was booked."""
        self._put(balance, self._bays[balance.warehouse.code, "RACK-01"], quantity, "available")
        balance.received += quantity
        self._book("received", "RCV", balance, quantity, "received")
        return quantity

    def adjust(self, balance: Balance, quantity: int, stock: Stock | None = None) -> int:
        """Correct the stock, down at most by what is available (and by the named record); returns the signed booking."""
        if quantity >= 0:
            self._put(balance, self._bays[balance.warehouse.code, "RACK-01"], quantity, "available")
            self._book("adjusted", "PADJ", balance, quantity, "positively_adjusted")
            return quantity
        down = min(-quantity, balance.available, stock.quantity if stock else balance.available)
        if down > 0:
            self._take(balance, down, first=stock)
            self._book("adjusted", "NADJ", balance, -down, "negatively_adjusted")
        return -down

    def hold(self, balance: Balance, quantity: int, stock: Stock | None = None) -> int:
        """Take stock out of sale, at most what is available; a named record keeps its place. Returns what was booked."""
        booked = min(quantity, balance.available)
        if booked <= 0:
            return 0
        location = stock.location if stock else self._bays[balance.warehouse.code, "QA-01"]
        if stock is not None and stock.quantity == booked:
            stock.status = "held"
            balance.on_hand -= booked
            balance.held += booked
        else:
            self._take(balance, booked, first=stock)
            self._put(balance, location, booked, "held")
        self._book("held", "HOLD", balance, booked, "placed_on_hold")
        return booked

    def release(self, balance: Balance, quantity: int, stock: Stock | None = None) -> int:
        """Put held stock back on sale, at most what is held. Returns what was booked."""
        booked = min(quantity, balance.held)
        if booked <= 0:
            return 0
        if stock is not None and stock.quantity == booked:
            stock.status = "available"
            balance.held -= booked
            balance.on_hand += booked
        else:
            self._take(balance, booked, status="held", first=stock)
            self._put(balance, self._bays[balance.warehouse.code, "RACK-01"], booked, "available")
        self._book("released", "RELS", balance, booked, "released_from_hold")
        return booked

    def take_back(self, balance: Balance, quantity: int) -> None:
        """Goods of a return arrive: out of sale until they are inspected."""
        self._put(balance, self._bays[balance.warehouse.code, "QA-01"], quantity, "held")
        self._book("returned", "RCV", balance, quantity, "received")

    def scrap(self, balance: Balance, quantity: int) -> None:
        """Goods that are out of sale are thrown away."""
        self._take(balance, quantity, status="held")
        self._book("scrapped", "NADJ", balance, -quantity, "negatively_adjusted")

    def transfer(self, source: Balance, target: Balance, quantity: int) -> int:
        """Move between warehouses, at most what is available (its events are inferred). Returns what was booked."""
        booked = min(quantity, source.available)
        if booked <= 0:
            return 0
        self._take(source, booked)
        self._put(target, self._bays[target.warehouse.code, "RACK-01"], booked, "available")
        self._book("moved out", "TRAN", source, -booked, "unreceived")
        self._book("moved in", "TRAN", target, booked, "received")
        return booked

    def relocate(self, stock: Stock, location: Location, quantity: int) -> None:
        """Move part of a record to another location of its warehouse; no balance changes."""
        balance = self.balance_of(stock)
        self._take(balance, quantity, status=stock.status, first=stock)
        self._put(balance, location, quantity, stock.status)
        self._transact("TRAN", balance, quantity, stock.location, location)
        self._journal.note("relocated", sku=stock.product.code, warehouse=balance.warehouse.code, qty=quantity)

    # ---- what orders do ---------------------------------------------------------------------------------------------------------------------

    def allocate(self, balance: Balance, quantity: int) -> None:
        """Keep available stock for an order; a negative quantity gives it back."""
        balance.allocated += quantity
        self.changed(balance)
        if quantity < 0:
            self.raised(balance.product)

    def pick(self, balance: Balance, quantity: int, order_id: int) -> None:
        """Allocated stock leaves its records; a negative quantity puts it back, still allocated."""
        bay = self._bays[balance.warehouse.code, "GOBAY-01"]
        if quantity >= 0:
            source = self._take(balance, quantity)
        else:
            source = self._bays[balance.warehouse.code, "RACK-01"]
            self._put(balance, source, -quantity, "available")
        balance.allocated -= quantity
        balance.picked += quantity
        self._transact("PICK", balance, quantity, source, bay, order_id)
        self.changed(balance)

    def despatch(self, balance: Balance, quantity: int, order_id: int) -> None:
        """Picked stock leaves the warehouse; a negative quantity takes a despatch back."""
        balance.picked -= quantity
        bay = self._bays[balance.warehouse.code, "GOBAY-01"]
        transaction = self._transact("DISP", balance, quantity, bay, None, order_id)
        self.event("dispatched" if quantity > 0 else "undispatched", transaction, balance)
        self.changed(balance)

    # ---- bookkeeping ------------------------------------------------------------------------------------------------------------------------

    def _put(self, balance: Balance, location: Location, quantity: int, status: str) -> None:
        if status == "held":
            balance.held += quantity
        else:
            balance.on_hand += quantity
        for stock in balance.records:
            if stock.location is location and stock.status == status:
                stock.quantity += quantity
                return
        if quantity > 0:
            stock = Stock(next(self._ids), balance.product, location, quantity, status, now_ms())
            balance.records.append(stock)
            self.stocks[stock.id] = stock

    def _take(
        self, balance: Balance, quantity: int, *, status: str = "available", first: Stock | None = None
    ) -> Location:
        """Lower records, the named one first, then the oldest; returns the place of the first unit."""
        if status == "held":
            balance.held -= quantity
        else:
            balance.on_hand -= quantity
        place: Location | None = None
        for stock in sorted(balance.records, key=lambda s: (s is not first, s.id)):
            if stock.status != status or quantity == 0:
                continue
            step = min(quantity, stock.quantity)
            stock.quantity -= step
            quantity -= step
            place = place or stock.location
            if stock.quantity == 0:
                balance.records.remove(stock)
                del self.stocks[stock.id]
        assert quantity == 0, "the records hold less than their balance"  # noqa: S101 - an invariant of the simulator itself
        return place or self._bays[balance.warehouse.code, "RACK-01"]

    def _book(self, what: str, subtype: str, balance: Balance, quantity: int, event: str = "") -> None:
        transaction = self._transact(subtype, balance, quantity)
        self._journal.note(what, sku=balance.product.code, warehouse=balance.warehouse.code, qty=quantity)
        if event:
            self.event(event, transaction, balance)
        self.changed(balance)
        if (quantity > 0 and what != "held") or what == "released":
            self.raised(balance.product)

    def _transact(
        self,
        subtype: str,
        balance: Balance,
        quantity: int,
        source: Location | None = None,
        target: Location | None = None,
        order_id: int | None = None,
    ) -> Transaction:
        transaction = Transaction(
            next(self._ids), subtype, quantity, now_ms(), balance.product, balance.warehouse, source, target, order_id
        )
        self.transactions.append(transaction)
        return transaction
