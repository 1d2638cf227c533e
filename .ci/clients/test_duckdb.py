"""DuckDB's wheel counts and sums the same Parquet as our SQL; pyarrow writes it, our crawler registers it."""

import datetime
import io
import uuid

import pyarrow
import pyarrow.parquet
import pytest
from duckdb_same import compare
from test_boto3 import client


def day(n, columns):
    rows = range(n * 1000, (n + 1) * 1000)
    start = datetime.datetime(2012, 1, 1 + n, tzinfo=datetime.timezone.utc)
    every = {
        "symbol": pyarrow.array([f"S{row % 7}" for row in rows]),
        "event_time": pyarrow.array([start + datetime.timedelta(seconds=row % 1000) for row in rows], pyarrow.timestamp("us", "UTC")),
        "price": pyarrow.array([row / 100 for row in rows]),
        "size": pyarrow.array([row % 13 if row % 10 else None for row in rows], pyarrow.int32()),
        "note": pyarrow.array([f"é{row % 3}" for row in rows]),
    }
    body = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({name: every[name] for name in columns}), body, compression="zstd")
    return body.getvalue()


@pytest.fixture
def bucket(s3):
    name = f"duckdb-{uuid.uuid4().hex[:12]}"
    client(s3, "s3").create_bucket(Bucket=name)
    return name


def test_duckdb_and_our_sql_agree(s3, bucket, tickertape):
    store = client(s3, "s3")
    for n in range(9):
        columns = ["symbol", "event_time", "price", "size"] + (["note"] if n > 4 else [])
        table = f"t_{bucket[7:]}"
        store.put_object(Bucket=bucket, Key=f"raw/{table}/dt=2012-01-0{n + 1}/a.parquet", Body=day(n, columns))
    report = tickertape("crawl", "--lake", f"s3://{bucket}/raw", "--s3-endpoint", s3["endpoint"])
    assert table in report
    compared = compare(s3["endpoint"], bucket, f"raw/{table}", table, keys=(s3["access_key_id"], s3["secret_access_key"]))
    assert compared["rows"] == 9000 and compared["files"] == 9
