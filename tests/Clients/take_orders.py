"""Runs Example 1's consumer, as it stands in its document, over the Shop's orders and compares what it took with what the Shop says.

usage: take_orders.py EXAMPLE.py SHOP-ADDRESS

The example leaves open how a payment is processed and how results are published, and does not loop: that much is here. What it does by
itself, connecting, reading event['id'] and event['data'] with 'orderId' and 'totalAmount', taking each event once and committing, is its.
The last line reads "N passed, N failed".
"""
import importlib.util
import json
import sys
import time
import urllib.request
from decimal import Decimal
from types import SimpleNamespace

TIME_MAX = 30  # seconds without an order that is still missing

example_file, shop = sys.argv[1:]
spec = importlib.util.spec_from_file_location("example", example_file)
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


class Taker(example.OrderEventConsumer):
    def __init__(self):
        super().__init__()
        self.taken = {}
        self.published = []

    def process_payment(self, order_id, amount):
        self.taken.setdefault(order_id, []).append(amount)
        return SimpleNamespace(success=True)

    def publish_payment_processed(self, order_data, payment_result):
        self.published.append(order_data["orderId"])

    def publish_payment_failed(self, order_data, payment_result):
        raise AssertionError("no payment fails here")


def orders_of_shop():
    orders, page = {}, 1
    while True:
        with urllib.request.urlopen(f"{shop}/api/orders?page={page}&pageSize=200") as answer:
            listed = json.loads(answer.read(), parse_float=Decimal)
        orders.update((order["orderId"], order["total"]) for order in listed["items"])
        if len(orders) >= listed["total"] or not listed["items"]:
            return orders
        page += 1


passed = failed = 0


def check(name, holds, why=""):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    print(f"{'ok     ' if holds else 'FAILED '} {name}{'' if holds else f': {why}'}")


expected = orders_of_shop()
taker = Taker()
ids = set()
last = time.monotonic()
while len(taker.taken) < len(expected) and time.monotonic() - last < TIME_MAX:
    for records in taker.consumer.poll(timeout_ms=500).values():
        for record in records:
            event = json.loads(record.value, parse_float=Decimal)
            ids.add(event["id"])
            taker.handle_order_created(event)
            taker.handle_order_created(event)  # what comes twice is taken once
            last = time.monotonic()

check("there are orders", expected, "the Shop has none")
missing, unknown = expected.keys() - taker.taken.keys(), taker.taken.keys() - expected.keys()
check("every order was taken", not missing, f"{len(missing)} of {len(expected)} were not, such as {sorted(missing)[:3]}")
check("nothing else was taken", not unknown, sorted(unknown)[:3])
check("each was taken once", all(len(amounts) == 1 for amounts in taker.taken.values()) and len(ids) == len(taker.processed_events),
      {order: amounts for order, amounts in taker.taken.items() if len(amounts) > 1})
wrong = {order: (amounts, expected[order]) for order, amounts in taker.taken.items() if order in expected and amounts[0] != expected[order]}
check("the amounts are exact", not wrong, list(wrong.items())[:3])
committed = sum(taker.consumer.committed(partition) or 0 for partition in taker.consumer.assignment())
check("its positions are committed", committed >= len(expected), f"{committed} of {len(expected)}")
taker.consumer.close()
print(f"{passed} passed, {failed} failed")
sys.exit(0 if failed == 0 else 1)
