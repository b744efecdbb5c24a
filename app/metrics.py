"""Every metric of the product, defined once: the objects to count with. How one is declared and shown is `app/exposition.py`'s; it counts nothing.

Labels are bounded: channels, topics, priorities and kinds come from the configuration and the code, never a SKU, an order or a URL.
"""

from app.exposition import CONTENT_TYPE, DEFINITIONS, REGISTRIES, Section, document, render

__all__ = ["CONTENT_TYPE", "DEFINITIONS", "REGISTRIES", "document", "render"]

_CALL = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_AGE = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_CYCLE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SILENCE = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
_SIZE = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)

# ---- accounting -----------------------------------------------------------------------------------------------------------------------------
_books = Section("worker", "The books: what came in and what became of it")
RECORDS_IN = _books.counter(
    "records_in",
    "Input records whose cycle is committed. Over any time it rises by exactly what `records` rises by; what is still to come is `lag_records`.",
    "topic",
    unit="records",
)
RECORDS = _books.counter(
    "records",
    "The same records by outcome: `done`, `superseded` (something at least as new was folded before), `failed` (in the dead-letter topic).",
    *("topic", "outcome"),
    unit="records",
    when="`failed` rises: the dead-letter topic has each record with its place and the reason.",
)
COMMANDS_IN = _books.counter(
    "commands_in",
    "Wanted states that delivery accepted, by kind: `stock` of a listing, `order` at the warehouse, `shipment` of a parcel, `receipt` of a return, `refund` "
    "of a part of one, order to `fetch`, SKU to `read`.",
    *("channel", "kind"),
    unit="wanted states",
)
COMMANDS = _books.counter(
    "commands",
    "What became of them: `done` (confirmed by the peer), `superseded` (a newer one took its place before), `failed` (the peer refused for good; an "
    "exception is open). `commands_in` less these three is what is pending; over a restart add what was pending before.",
    *("channel", "kind", "outcome"),
    unit="wanted states",
    when="`failed` rises: `integration.exceptions` names each one.",
)
EXCEPTIONS_OPEN = _books.gauge(
    "exceptions_open",
    "Open exceptions by type, over the partitions owned here.",
    "type",
    unit="exceptions",
    when="it is not 0: a person must do something; `integration.exceptions` says what and who.",
)

# ---- ages -----------------------------------------------------------------------------------------------------------------------------------
_ages = Section("worker", "Ages: how old the news is at each step")
HOP = _ages.histogram(
    "hop_seconds",
    "From a record's writing to its folding, per topic: the first (longest waiting) record of every batch.",
    _AGE,
    "topic",
    when="an end-to-end age is high: the topic with the high figure is where it waits.",
)
CAUSE_TO_FOLDED = _ages.histogram(
    "cause_to_folded_seconds",
    "From what happened (a notification came, an order was seen, a read was asked for) to its folding by the topic's agent: first record of every batch.",
    _AGE,
    "topic",
)
CAUSE_TO_COMMANDED = _ages.histogram(
    "cause_to_commanded_seconds",
    "From what happened to delivery's taking over the wanted state: a quantity, or at clarus a release.",
    _AGE,
    "channel",
)
CAUSE_TO_SENT = _ages.histogram(
    "cause_to_sent_seconds",
    "From what happened to the first request for it being handed to the channel's budget: a quantity, or at clarus a goods out.",
    _AGE,
    "channel",
    when="it is high and `cause_to_commanded_seconds` is not: the channel waits for its budget, a back-off, or a read-back.",
)
CAUSE_TO_CONFIRMED = _ages.histogram(
    "cause_to_confirmed_seconds",
    "From what changed something (a stock movement, an order) to the peer's confirmation: a quantity, or at clarus a goods out.",
    _AGE,
    "channel",
    when="storefronts show old figures, or orders reach the warehouse late: this is the whole way.",
)

# ---- engine ---------------------------------------------------------------------------------------------------------------------------------
_engine = Section("worker", "Engine")
LAG = _engine.gauge(
    "lag_records",
    "Input records not yet folded, per topic over the partitions owned here.",
    "topic",
    unit="records",
    when="it rises for minutes: the workers are too few, or one repeats a cycle (`aborts`, `failed_batches`).",
)
BATCH_SIZE = _engine.histogram("batch_records", "Records in one batch.", _SIZE, "topic", unit="records")
CYCLE_SECONDS = _engine.histogram(
    "cycle_seconds",
    "Time of a cycle that had work, its commit included.",
    _CYCLE,
    when="all ages rise alike: a cycle that takes longer than `settings.engine.commit_interval` is the worker at its limit.",
)
COMMIT_SECONDS = _engine.histogram(
    "commit_seconds",
    "Time of a commit of outputs, rows and positions.",
    _CYCLE,
    when="cycles are long: the broker is slow where this is most of it.",
)
CYCLES = _engine.counter("cycles", "Cycles of the worker that had something to do or to look at.", unit="cycles")
COMMITS = _engine.counter("commits", "Commits of outputs, rows and positions.", unit="commits")
ABORTS = _engine.counter(
    "aborts", "Cycles whose commit failed; they are made again.", unit="cycles", when="it rises steadily: the broker."
)
FAILED_BATCHES = _engine.counter(
    "failed_batches",
    "Batches or timed functions that raised; tried again, and the worker ends after some attempts in a row.",
    unit="batches",
    when="it rises at all: the worker's log has the error.",
)
OUTPUTS = _engine.counter("outputs", "Records written to topics.", unit="records")
ROWS_WRITTEN = _engine.counter("rows_written", "Rows written to the local store and the changelog.", unit="rows")
DEAD_LETTERS = _engine.counter(
    "dead_letters",
    "Records set aside because they could not be read.",
    "topic",
    unit="records",
    when="it rises at all; past `settings.engine.dead_letter_ratio` the worker stops.",
)
PARTITIONS_OWNED = _engine.gauge(
    "partitions_owned",
    "Partitions that are restored and run here.",
    unit="partitions",
    when="their sum over all workers is below `settings.kafka.partitions`: some stand still.",
)
REBALANCES = _engine.counter("rebalances", "Changes of the group that this worker followed.", unit="rebalances")
SILENCE = _engine.histogram(
    "partition_silence_seconds",
    "How long a partition stood still here: from the rebalance (or a commit in doubt) until it ran on.",
    _SILENCE,
    when="a worker came or went: nothing of the partition was delivered for so long.",
)
RECOVERY = _engine.histogram("recovery_seconds", "The part of a silence that restoring took, per partition.", _SILENCE)
RESTORED_ROWS = _engine.counter(
    "restored_rows",
    "Rows taken from the changelog into the local store, those of restores under way included.",
    unit="rows",
)
RESTORE_REMAINING = _engine.gauge(
    "restore_remaining_records", "Changelog records still to be restored before work starts.", unit="records"
)
RESTORE_PROGRESS = _engine.gauge(
    "restore_progress_ratio",
    "How much of the restore under way is done; 1 where none is.",
    when="a worker is live and not ready: with the rate of `restored_rows` it says how long still.",
)
STORE_BYTES = _engine.gauge(
    "store_bytes", "Size of the local stores of the partitions owned here, as the store estimates it."
)
STORE_ROWS = _engine.gauge("store_rows", "Rows in them, all tables together, as the store estimates it.", unit="rows")

# ---- delivery -------------------------------------------------------------------------------------------------------------------------------
_delivery = Section("worker", "Delivery: backlog, budget, breaker")
BACKLOG = _delivery.gauge(
    "backlog",
    "Wanted states not yet confirmed at the peer, by kind (`stock`, `fetches`, `shipments`; at clarus `reads`, `orders`, `parcels`) and by the priority of"
    " what is next for them.",
    *("channel", "kind", "priority"),
    unit="wanted states",
    when="it does not fall after a sale; `decrease` and `release` must be short-lived.",
)
OLDEST_PENDING = _delivery.gauge(
    "oldest_pending_seconds",
    "Age of the oldest of them.",
    *("channel", "kind", "priority"),
    when="it passes the starvation bound of its class: decrease 1 s, release 5 s, despatch and other decreases 15 s, increase 30 s, sweep 120 s.",
)
WAITING = _delivery.gauge(
    "requests_waiting", "Requests that wait for the channel's budget.", "channel", "priority", unit="requests"
)
UNDER_WAY = _delivery.gauge("requests_under_way", "Requests sent and not answered.", "channel", unit="requests")
API_CALLS = _delivery.counter(
    "api_calls",
    "HTTP requests to peers by what they were for and what came back: ok, refused (4xx), throttled (429), unauthorised, unavailable (did not reach the "
    "peer), unknown (may have), cancelled, not_sent (breaker open; no request was made).",
    *("channel", "purpose", "outcome"),
    unit="requests",
    when="`throttled` rises: another program uses the same budget; `unknown`: the peer is slow or ill.",
)
API_SECONDS = _delivery.histogram("api_seconds", "Time from sending to the answer.", _CALL, "channel", "purpose")
API_WAIT = _delivery.histogram(
    "api_wait_seconds",
    "Time a request waited for the channel's budget and a connection.",
    _AGE,
    *("channel", "priority"),
    when="`cause_to_sent` to confirmed is long and `api_seconds` is not: the budget is used up.",
)
BUDGET_LEFT = _delivery.gauge(
    "budget_left", "Requests the channel's budget would let through at once.", "channel", unit="requests"
)
BUDGET_BURST = _delivery.gauge("budget_burst", "The most it ever lets through at once.", "channel", unit="requests")
BUDGET_RATE = _delivery.gauge(
    "budget_rate",
    "Requests a second that the budget allows at present: halved by each 429, grown back within 30 s.",
    "channel",
    unit="requests/s",
    when="it stays below `budget_limit`: the peer throttles.",
)
BUDGET_LIMIT = _delivery.gauge("budget_limit", "Requests a second as configured.", "channel", unit="requests/s")
BREAKER = _delivery.gauge(
    "breaker_state",
    "Circuit breaker of the channel: 0 closed, 1 half open, 2 open.",
    "channel",
    unit="state",
    when="it is 2: the peer is away; nothing is sent but one trial now and then.",
)
WRITES_ALLOWED = _delivery.gauge(
    "writes_allowed",
    "1 once the channel's start check agrees, 0 before: nothing is written until then.",
    "channel",
    unit="state",
    when="it is 0 for more than a minute: `/status` has the findings.",
)
PAUSED = _delivery.gauge(
    "paused_targets",
    "Pauses of operators in force: the whole channel, or SKUs at it.",
    "channel",
    "scope",
    unit="pauses",
)
SHADOW = _delivery.gauge(
    "shadow",
    "1 while the channel is in shadow: computed and compared, never written to.",
    "channel",
    unit="state",
)

# ---- stock ----------------------------------------------------------------------------------------------------------------------------------
_stock = Section("worker", "Stock: drift, escrow, what could be oversold")
RECONCILED = _stock.counter(
    "reconciled_listings",
    "Read-backs of listings judged, by result: `equal`, `healed` (the cause is known) or `unexplained`.",
    *("channel", "result"),
    unit="read-backs",
)
DRIFT_FOUND = _stock.counter(
    "drift_found",
    "Read-backs that differ from what was believed, by cause (docs/decisions/0051-causes-of-drift.md); without an explanation `raised` or `lowered`.",
    *("channel", "cause"),
    unit="read-backs",
    when="`raised` or `lowered` rises: something else writes these quantities; `clarus-stream reconciliation` names the listings.",
)
DRIFT_HEALED = _stock.counter(
    "drift_healed",
    "Judgements of such read-backs that delivery took over: the next write starts from the true figure.",
    "channel",
    unit="read-backs",
)
WATERMARK_AGE = _stock.gauge(
    "watermark_age_seconds",
    "Age of the channel's watermark: all its orders up to then are folded in every partition owned here.",
    "channel",
    when="escrow units do not come free, or new listings stay without a figure: above `settings.sweeps.orders` the polls fail.",
)
UNREADY = _stock.gauge(
    "listings_unready",
    "Listings with a baseline whose orders are not all folded, or still without one: nothing is written to them.",
    "channel",
    unit="listings",
)
SPLIT = _stock.gauge("escrow_split_skus", "SKUs whose pool is split into quotas at present.", unit="SKUs")
TRANSFER = _stock.gauge(
    "escrow_transfer_eaches",
    "Eaches that quotas hold beyond what is on offer there: on their way from one listing to another, for sale nowhere.",
    "channel",
    unit="eaches",
    when="stock stays unsold: a channel with much of it does not confirm its decreases.",
)
OUTCOMES_WAITING = _stock.gauge(
    "escrow_outcomes_waiting",
    "Outcomes of commands that wait for the channel's watermark before they count.",
    "channel",
    unit="outcomes",
)
UNGUARDED = _stock.gauge(
    "unguarded_listings",
    "Listings whose storefront may sell beyond what it shows, by its newest read: a split pool with one of them promises nothing.",
    "channel",
    unit="listings",
    when="it is not 0 and oversells are not to be: `why SKU` and `config check` say why.",
)
EXPOSURE = _stock.gauge(
    "oversell_exposure_eaches",
    "Sum over SKUs that are shared by several listings of min(what the channel's listing shows, what all show together less what the warehouses can still "
    "promise): what the channel would oversell if the others sold all they show first. Not counted: bundles, and split pools, where it is 0.",
    "channel",
    unit="eaches",
    when="you choose a `buffer` or mode `escrow`: it is the price of `shared`.",
)
OVERLAP = _stock.gauge(
    "oversell_overlap_eaches",
    "The same for all channels together: what listings of shared SKUs show beyond what the warehouses can still promise. No more than this can be sold "
    "twice by two buyers at the same moment.",
    unit="eaches",
)
UNCERTAIN = _stock.gauge(
    "uncertain_units",
    "Sum over listings of the most units the storefront may show less those it certainly has: writes whose result is not proved.",
    "channel",
    unit="selling units",
    when="it does not return to 0: answers got lost and read-backs do not come.",
)
SUMS_INCOMPLETE = _stock.gauge(
    "sums_incomplete_partitions",
    "Partitions that came here lately and whose rows are not all in the sums of this section and in `exceptions_open` yet.",
    unit="partitions",
)

# ---- mappings -------------------------------------------------------------------------------------------------------------------------------
_mappings = Section("worker", "Mappings")
MAPPINGS_VERSION = _mappings.gauge(
    "mappings_version",
    "Version of the imported mappings in force; 0: none was imported yet.",
    when="workers show different ones for longer than some seconds: the lower one cannot read `reference.mappings`, see its log.",
)
MAPPINGS_LEFT_OUT = _mappings.gauge(
    "mappings_left_out",
    "Imported mappings that are not in force because they do not fit this worker's configuration or version.",
    unit="records",
    when="it is not 0: `/status` and the log name them; import them anew as they shall be, or give the workers one configuration.",
)

# ---- ingress --------------------------------------------------------------------------------------------------------------------------------
_ingress = Section("ingress", "Ingress")
WEBHOOKS = _ingress.counter(
    "webhooks",
    "Webhooks by our answer: `durable`, `unknown_channel`, `wrong_secret`, `forged`, `too_slow`, `too_large`, `hung_up`, `not_durable`.",
    *("channel", "status", "reason"),
    unit="webhooks",
    when="`not_durable` rises: Kafka; `wrong_secret` or `forged`: the peer has another secret, or somebody tries.",
)
WEBHOOK_SECONDS = _ingress.histogram("webhook_seconds", "From a webhook's first byte to our answer.", _CALL, "channel")
DURABLE_SECONDS = _ingress.histogram(
    "durable_seconds",
    "From the receipt of a notification (webhook, or record of a channel's own Kafka cluster) until it is durable in `ingress.webhooks`.",
    _CALL,
    "channel",
    when="peers see time-outs of their webhooks.",
)
BRIDGED = _ingress.counter(
    "bridged_records", "Records taken over from a channel's own Kafka cluster.", "channel", unit="records"
)
BRIDGE_ERRORS = _ingress.counter(
    "bridge_errors",
    "Errors of the bridge to a channel's own Kafka cluster.",
    "channel",
    unit="errors",
    when="`bridged_records` stands still.",
)
INGRESS_IN_FLIGHT = _ingress.gauge(
    "ingress_in_flight", "Notifications handed to Kafka and not yet durable.", unit="notifications"
)
