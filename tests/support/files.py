"""Configuration files for tests."""

from pathlib import Path

SHOP = """
clarus: {client_id: id, client_secret: clarus-secret}
channels:
  ct-eu: {system: commercetools, project_key: shop, client_id: id, client_secret: ct-secret}
  bc-us: {system: bigcommerce, store_hash: abc, access_token: bc-secret, webhook_secret: hook-secret}
warehouses: [MAIN, NORTH]
products:
  - {sku: "000123", units: {each: 1, case: 12}, channels: {ct-eu: "123", bc-us: {sku: SKU-123, unit: case}}}
  - {sku: GIFT, bundle: {"000123": 2}, channels: {ct-eu: GIFT}}
policies:
  - {match: {channel: "*"}, mode: shared, buffer: 1}
settings:
  kafka: {bootstrap: "broker:9092"}
"""


def shop(folder: Path, text: str = SHOP) -> Path:
    """A configuration file in this folder."""
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return path
