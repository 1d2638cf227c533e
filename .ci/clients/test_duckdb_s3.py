"""DuckDB's own S3 client: globs over partitions, ranges of Parquet, packed JSON and CSV, and objects written in parts."""

import gzip
import json
import os
import pathlib
import subprocess
import uuid

import pytest
from test_boto3 import client

PYTHON = os.environ.get("TICKERTAPE_DUCKDB_PYTHON")
pytestmark = pytest.mark.skipif(not PYTHON, reason="TICKERTAPE_DUCKDB_PYTHON names no Python (see .ci/run)")


@pytest.fixture
def bucket(s3):
    name = f"duckdb-s3-{uuid.uuid4().hex[:12]}"
    client(s3, "s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def duckdb(s3):
    def run(*statements):
        script = pathlib.Path(__file__).parent / "duckdb_s3.py"
        asked = json.dumps([s3, statements])
        done = subprocess.run([PYTHON, script], input=asked, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_what_duckdb_writes_it_reads_and_so_do_we(s3, bucket, duckdb, tickertape):
    table = f"t_{bucket[10:]}"
    lake = f"s3://{bucket}/lake/{table}"
    rows = "SELECT n, n / 8 AS price, 'dt-' || (n % 9) AS dt FROM range(300000) r(n)"
    written = f"COPY ({rows}) TO '{lake}' (FORMAT parquet, PARTITION_BY (dt), COMPRESSION zstd, ROW_GROUP_SIZE 10000)"
    read = f"FROM read_parquet('{lake}/*/*.parquet', hive_partitioning = true)"
    whole = duckdb(written, f"SELECT count(*), sum(n)::BIGINT, sum(price), count(DISTINCT dt) {read}")
    assert whole == [[300000, 300000 * 299999 // 2, 300000 * 299999 / 16, 9]]
    some = duckdb(f"SELECT count(*), min(n), max(n) {read} WHERE dt = 'dt-3' AND n BETWEEN 1000 AND 2000")
    assert some == [[111, 1002, 1992]]
    tickertape("crawl", "--lake", f"s3://{bucket}/lake", "--s3-endpoint", s3["endpoint"])
    query = f"select count(*), sum(n), count(distinct dt) from {table}"
    ours = tickertape("sql", "--s3-endpoint", s3["endpoint"], "--format", "csv", query).splitlines()[1]
    assert ours == f"300000,{300000 * 299999 // 2},9"


def test_one_large_object_in_parts(s3, bucket, duckdb):
    place = f"s3://{bucket}/large ä+.csv"
    # Its parts are a ten thousandth of this.
    small_parts = "SET s3_uploader_max_filesize = '50GB'"
    (written,) = duckdb(small_parts, f"COPY (SELECT n, repeat('x', 100) AS x FROM range(200000) r(n)) TO '{place}'")
    assert written == [200000]
    head = client(s3, "s3").head_object(Bucket=bucket, Key="large ä+.csv")
    assert head["ContentLength"] > 20_000_000 and "-" in head["ETag"]
    assert duckdb(f"SELECT count(*), sum(n)::BIGINT FROM read_csv('{place}')") == [[200000, 200000 * 199999 // 2]]


def test_packed_text_and_globs(s3, bucket, duckdb):
    store = client(s3, "s3")
    for n in range(5):
        body = "".join(json.dumps({"n": n * 10 + row, "file": f"f{n}"}) + "\n" for row in range(10))
        store.put_object(Bucket=bucket, Key=f"j/k={n}/a b+{n}.jsonl.gz", Body=gzip.compress(body.encode()))
    assert duckdb(f"SELECT count(*), sum(n)::BIGINT, count(DISTINCT k) FROM read_json('s3://{bucket}/j/**', hive_partitioning = true)") == [[50, 1225, 5]]
    names = duckdb(f"SELECT file FROM glob('s3://{bucket}/j/k=*/*+[23].jsonl.gz') ORDER BY 1")
    assert names == [[f"s3://{bucket}/j/k={n}/a b+{n}.jsonl.gz"] for n in (2, 3)]
