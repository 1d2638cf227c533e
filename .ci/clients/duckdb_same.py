"""DuckDB and our SQL over the same Parquet: the same counts, sums and bounds.

DuckDB reads local copies, fetched by boto3, so nothing of ours stands between it and the bytes.

    python .ci/clients/duckdb_same.py --endpoint http://127.0.0.1:9000 --bucket lake --prefix raw/ticks --table ticks
"""

import argparse
import csv
import io
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import boto3
import botocore.config
import duckdb

BINARY = os.environ.get("TICKERTAPE", "tickertape")
NUMBERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE"}


def fetch(endpoint, bucket, prefix, into, keys):
    """Copies the Parquet under a prefix, folders and all, and gives how many files there were."""
    store = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    prefix = prefix.strip("/") + "/"
    files = 0
    for page in store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            path = found["Key"][len(prefix) :]
            if not path.endswith(".parquet") or any(part[0] in "_." for part in path.split("/")):
                continue
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            store.download_file(bucket, found["Key"], str(target))
            files += 1
    return files


def ours(binary, endpoint, query, keys):
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": keys[0], "AWS_SECRET_ACCESS_KEY": keys[1]}
    done = subprocess.run(
        [binary, "sql", "--s3-endpoint", endpoint, "--format", "csv", query],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, f"{query}\n{done.stderr}"
    return list(csv.reader(io.StringIO(done.stdout)))[1:]


def alike(left, right):
    """Equal as text, or as numbers up to the order in which floats were added."""
    left, right = ["" if value is None else str(value) for value in (left, right)]
    if left == right:
        return True
    try:
        return math.isclose(float(left), float(right), rel_tol=1e-9)
    except ValueError:
        return False


def aggregates(columns):
    """One expression per fact to compare, spelt as both understand it."""
    facts = ["count(*)"]
    for name, kind in columns:
        facts.append(f'count("{name}")')
        facts.append(f'count(distinct "{name}")')
        if kind in NUMBERS or kind.startswith("DECIMAL"):
            facts += [f'sum("{name}")', f'min("{name}")', f'max("{name}")']
        elif kind == "VARCHAR":
            facts += [f'min("{name}")', f'max("{name}")']
    return facts


def compare(endpoint, bucket, prefix, table, binary=BINARY, keys=("tickertape", "tickertape-secret")):
    """Gives rows, files and facts that were compared; fails with what differs."""
    with tempfile.TemporaryDirectory() as folder:
        files = fetch(endpoint, bucket, prefix, pathlib.Path(folder), keys)
        assert files, f"no Parquet under s3://{bucket}/{prefix}"
        theirs = duckdb.connect()
        theirs.execute("set timezone = 'UTC'")
        source = (
            f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
        )
        described = theirs.execute(f"describe select * from {source}").fetchall()
        columns = [(row[0], row[1]) for row in described]
        facts = aggregates(columns)
        expected = theirs.execute(f"select {', '.join(facts)} from {source}").fetchone()
        (found,) = ours(binary, endpoint, f"select {', '.join(facts)} from {table}", keys)
        differing = [
            f"{fact}: DuckDB {wanted}, ours {got}"
            for fact, wanted, got in zip(facts, expected, found, strict=True)
            if not alike(wanted, got)
        ]
        if any(name == "dt" for name, _ in columns):
            by_day = "select dt, count(*) from {} group by dt order by dt"
            expected_days = [[str(v) for v in row] for row in theirs.execute(by_day.format(source)).fetchall()]
            found_days = ours(binary, endpoint, by_day.format(table), keys)
            if expected_days != found_days:
                differing.append(f"rows per dt: DuckDB {expected_days}, ours {found_days}")
        assert not differing, "\n".join(differing)
        return {"rows": expected[0], "files": files, "facts": len(facts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default="http://127.0.0.1:9000")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--prefix", required=True, help="the table's folder")
    parser.add_argument("--table", help="the table's name [default: the folder's]")
    parser.add_argument("--binary", default=BINARY)
    given = parser.parse_args()
    table = given.table or given.prefix.strip("/").split("/")[-1]
    print(compare(given.endpoint, given.bucket, given.prefix, table, given.binary))


if __name__ == "__main__":
    sys.exit(main())
