"""Checks what kcat shows of one of the Shop's topics, record by record, on standard input: kcat -J, one JSON object a line.

usage: kcat -C -e -q -J -t TOPIC ... | show_topics.py TOPIC KEY
KEY is the field of the event's data that the record's key must be. The exit code is 0 when all records are as they should be.
"""
import json
import sys

topic, key = sys.argv[1:]
count = 0
for line in sys.stdin:
    record = json.loads(line)
    where = f"{topic} {record['partition']}:{record['offset']}"
    headers = dict(zip(record["headers"][::2], record["headers"][1::2]))
    if headers.get("content-type", "").split(";")[0] != "application/cloudevents+json":
        sys.exit(f"{where}: its headers are {headers}")
    event = json.loads(record["payload"])
    for field in ("specversion", "id", "source", "type", "time", "data"):
        if field not in event:
            sys.exit(f"{where}: the event has no {field}: {record['payload']}")
    if not event["type"].startswith("com.ecommerce."):
        sys.exit(f"{where}: the type is {event['type']}")
    if record["key"] not in (event["data"].get(field) for field in key.split("|")):
        sys.exit(f"{where}: the key is {record['key']}, the event's data {event['data']}")
    if count == 0:
        print(f"        {where} key={record['key']} {headers} {record['payload'][:100]}...")
    count += 1
print(f"        {count} records of {topic}")
sys.exit(0 if count > 0 else f"{topic} holds no record")
