"""pyarrow and DuckDB read what the sink wrote, in both formats: rows, types, nested values, statistics, page indexes, rejected
messages, and files from before and after a table got new columns together."""

import contextlib
import datetime
import decimal
import gzip
import io
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

import confluent_kafka
import confluent_kafka.admin
import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.fs
import pyarrow.json
import pyarrow.parquet
import pytest
from conftest import BINARY
from test_boto3 import client

ROWS = 3000
PATIENCE_S = 120


def event(at):
    """A message whose fields have every type, out of the order of time, on two days."""
    day = 1 + at % 2
    return {
        "symbol": f"S{at % 5}",
        "event_time": f"2012-06-{day:02}T13:{59 - at // 60 % 60:02}:{59 - at % 60:02}.{at:06}Z",
        "traded_on": f"2012-06-{day:02}",
        "price": 10 + at / 4,
        "amount": f"{at}.10",
        "size": at * 100,
        "open": at % 3 == 0,
        "note": None if at % 7 else f"é{at}",
        "venue": {"name": "XNAS", "level": {"bid": at}},
        "fills": [{"price": at / 2, "size": 1}, {"price": at / 2 + 1, "size": None}],
        "tags": ["a", f"b{at % 2}"],
    }


BAD = [b"no JSON", b"[1]", b'{"event_time":"never"}', None]


def produce(bootstrap, topic, values, partition):
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    for value in values:
        body = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        producer.produce(topic, body, partition=partition)
        producer.poll(0)
    assert producer.flush(PATIENCE_S) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def sink(bootstrap, s3, topic, to, *options):
    """A running sink; what it yields waits until it has written so many messages."""
    port = free_port()
    keys = {"AWS_ACCESS_KEY_ID": s3["access_key_id"], "AWS_SECRET_ACCESS_KEY": s3["secret_access_key"], "AWS_REGION": "us-east-1"}
    process = subprocess.Popen(
        [BINARY, "consume", "-b", bootstrap, "--topic", topic, "--to", to, "--s3-endpoint", s3["endpoint"], "--group", topic]
        + ["--max-age", "1s", "--metrics", f"127.0.0.1:{port}", *options],
        env={**os.environ, **keys},
        stdout=subprocess.PIPE,
        text=True,
    )

    def metrics():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            lines = [line.rsplit(" ", 1) for line in page.read().decode().splitlines() if not line.startswith("#")]
        return {name: int(value) for name, value in lines}

    def written(messages):
        until = time.monotonic() + PATIENCE_S
        while True:
            assert process.poll() is None, "the sink has ended"
            with contextlib.suppress(OSError):
                found = metrics()
                if found["tickertape_sink_written_total"] >= messages:
                    assert found["tickertape_sink_commit_latency_ms_count"] <= found["tickertape_sink_objects_total"]
                    return found
            assert time.monotonic() < until, f"{messages} messages were not written in time"
            time.sleep(0.05)

    try:
        yield written
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def lake(s3, topic):
    """A bucket of its own, by boto3."""
    store = client(s3, "s3")
    store.create_bucket(Bucket=topic)
    return store


@pytest.fixture
def partitions(bootstrap, topic):
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([confluent_kafka.admin.NewTopic(topic, 2, 1)]).values():
        made.result(PATIENCE_S)


def bodies(store, bucket, prefix):
    found = {}
    for page in store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for listed in page.get("Contents", []):
            found[listed["Key"]] = store.get_object(Bucket=bucket, Key=listed["Key"])["Body"].read()
    return found


def table_of(topic):
    return topic.replace("-", "_")


def rejected_of(store, topic):
    lines = [line for body in bodies(store, topic, f"lake/_rejected/{table_of(topic)}/").values() for line in gzip.decompress(body).splitlines()]
    return {(line["partition"], line["offset"]): line for line in map(json.loads, lines)}


@pytest.mark.parametrize("compression", ["zstd", "snappy", "none"])
def test_parquet(bootstrap, s3, lake, partitions, topic, compression, tmp_path):
    options = ["--compression", compression, "--column", "amount=decimal(12,2)", "--column", "traded_on=date"]
    values = [event(at) for at in range(ROWS)]
    with sink(bootstrap, s3, topic, f"s3://{topic}/lake", *options) as written:
        produce(bootstrap, topic, values, 0)
        produce(bootstrap, topic, BAD, 1)
        found = written(ROWS + len(BAD))
        assert found["tickertape_sink_rejected_total"] == len(BAD) and found["tickertape_sink_object_size_bytes_count"] >= 2
        # Files after the first have columns that those have not: of a new field, and of values that don't fit.
        late = [{**event(at), "added": {"x": at}, "size": at + 0.5, "price": "closed"} for at in range(10)]
        produce(bootstrap, topic, late, 1)
        written(ROWS + len(BAD) + len(late))
    files = bodies(lake, topic, f"lake/{table_of(topic)}/")
    assert {key.split("/")[2] for key in files} == {"dt=2012-06-01", "dt=2012-06-02"}

    types = {}
    for key, body in files.items():
        file = pyarrow.parquet.ParquetFile(io.BytesIO(body))
        assert file.metadata.num_rows == file.read().num_rows > 0
        for group in map(file.metadata.row_group, range(file.metadata.num_row_groups)):
            columns = [group.column(at) for at in range(group.num_columns)]
            codec = "UNCOMPRESSED" if compression == "none" else compression.upper()
            assert {column.compression for column in columns} == {codec}
            assert all(column.has_offset_index and column.has_column_index for column in columns), key
            by_path = {column.path_in_schema: column.statistics for column in columns}
            times = file.read(["event_time"])["event_time"]
            assert times.equals(times.take(pyarrow.compute.sort_indices(times))), "rows are in the order of time"
            assert by_path["event_time"].min == times[0].as_py() and by_path["event_time"].max == times[-1].as_py()
            assert by_path["venue.level.bid"].has_min_max and by_path["symbol"].min == pyarrow.compute.min(file.read(["symbol"])["symbol"]).as_py()
            assert group.column(group.sorting_columns[0].column_index).path_in_schema == "event_time"
        for field in file.schema_arrow:
            assert types.setdefault(field.name, field.type) == field.type, f"{key}: one column, two types"
    assert types["price"] == pyarrow.float64() and types["size"] == pyarrow.int64() and types["open"] == pyarrow.bool_()
    assert types["amount"] == pyarrow.decimal128(12, 2) and types["traded_on"] == pyarrow.date32()
    assert types["event_time"] == pyarrow.timestamp("us", "UTC") and types["tags"].value_type == pyarrow.string()
    assert types["size__double"] == pyarrow.float64() and types["price__string"] == pyarrow.string()

    for key, body in files.items():
        place = tmp_path / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
    folder = tmp_path / "lake" / table_of(topic)
    fragments = [pyarrow.parquet.read_schema(file) for file in folder.rglob("*.parquet")]
    rows = pyarrow.dataset.dataset(folder, partitioning="hive", schema=pyarrow.unify_schemas(fragments)).to_table().to_pylist()
    assert len(rows) == ROWS + 10
    first = {row["_offset"]: row for row in rows if row["_partition"] == 0}
    for at, value in enumerate(values):
        row = first[at]
        for name in ("symbol", "price", "size", "open", "note", "venue", "fills", "tags"):
            assert row[name] == value[name], (at, name)
        assert row["amount"] == decimal.Decimal(value["amount"])
        assert row["traded_on"] == datetime.date.fromisoformat(value["traded_on"])
        assert row["event_time"] == datetime.datetime.fromisoformat(value["event_time"])
    late_rows = {row["_offset"]: row for row in rows if row["_partition"] == 1}
    for at in range(10):
        row = late_rows[len(BAD) + at]
        assert (row["added"], row["size"], row["size__double"]) == ({"x": at}, None, at + 0.5)
        assert (row["price"], row["price__string"]) == (None, "closed")
    rejected = rejected_of(lake, topic)
    assert sorted(rejected) == [(1, at) for at in range(len(BAD))] and all(line["reason"] for line in rejected.values())

    asked = duckdb.sql(
        f"""SELECT count(*), count(DISTINCT (_partition, _offset)), sum(size), sum(amount), sum(len(fills)), sum(venue.level.bid),
        min(event_time)::VARCHAR, count(added.x) FROM read_parquet('{folder}/*/*.parquet', union_by_name = true, hive_partitioning = true)"""
    ).fetchall()[0]
    count = ROWS + 10
    every = list(range(ROWS)) + list(range(10))
    assert asked[:6] == (count, count, sum(at * 100 for at in range(ROWS)), sum(decimal.Decimal(f"{at}.10") for at in every), 2 * count, sum(every))
    assert asked[7] == 10


def test_json(bootstrap, s3, lake, partitions, topic, tmp_path):
    values = [event(at) for at in range(ROWS)]
    with sink(bootstrap, s3, topic, f"s3://{topic}/lake", "--format", "json") as written:
        produce(bootstrap, topic, values + BAD, 0)
        written(ROWS + len(BAD))
    rows = {}
    for at, (key, body) in enumerate(bodies(lake, topic, f"lake/{table_of(topic)}/").items()):
        assert key.endswith(".jsonl.gz")
        (tmp_path / f"{at}.jsonl.gz").write_bytes(body)
        table = pyarrow.json.read_json(io.BytesIO(gzip.decompress(body)))
        for row in table.to_pylist():
            assert rows.setdefault(row["_offset"], row) is row, "twice"
    assert sorted(rows) == list(range(ROWS))
    for at, value in enumerate(values):
        assert {name: rows[at][name] for name in ("symbol", "price", "size", "venue", "tags")} == {
            name: value[name] for name in ("symbol", "price", "size", "venue", "tags")
        }
    asked = duckdb.sql(f"SELECT count(*), sum(size), sum(venue.level.bid) FROM read_json('{tmp_path}/*.jsonl.gz')").fetchall()[0]
    assert asked == (ROWS, sum(at * 100 for at in range(ROWS)), sum(range(ROWS)))
    assert sorted(rejected_of(lake, topic)) == [(0, ROWS + at) for at in range(len(BAD))]
