"""Exceptions of delivery are opened once and keep their id and their beginning."""

from tables.deliveries import troubles


def test_the_same_failure_is_news_once() -> None:
    row, news = troubles.raised(None, "delivery_failed", "shop", "connection refused", 100)
    again, more = troubles.raised(row, "delivery_failed", "shop", "connection refused", 200)
    assert news and not more and again == row


def test_another_cause_is_news_and_the_beginning_stays() -> None:
    row, _ = troubles.raised(None, "delivery_failed", "shop", "connection refused", 100)
    changed, news = troubles.raised(row, "delivery_failed", "shop", "401", 200)
    assert news and (changed.detail, changed.opened_at) == ("401", 100)


def test_the_record_names_type_entity_and_owner() -> None:
    row, _ = troubles.raised(None, "unmapped_sku", "shop//c1", "no such SKU", 100)
    row.handling.note(300, "resolved")
    record = troubles.record(row, "shop", 300)
    assert (record.holder, [step.action for step in record.history]) == ("channel/shop", ["opened", "resolved"])
    assert (record.exception_id, record.owner, record.state) == ("unmapped_sku:shop//c1", "ecommerce", "RESOLVED")
    assert (record.opened_at, record.changed_at) == (100, 300)
