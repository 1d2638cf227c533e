"""pyarrow's own S3 client (the AWS SDK for C++): files, folders, ranges, and data sets of partitions read in place."""

import uuid

import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import pytest


@pytest.fixture
def store(s3):
    return pyarrow.fs.S3FileSystem(
        endpoint_override=s3["endpoint"].removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        access_key=s3["access_key_id"],
        secret_key=s3["secret_access_key"],
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )


@pytest.fixture
def bucket(store):
    name = f"pyarrow-{uuid.uuid4().hex[:12]}"
    store.create_dir(name)
    return name


def test_files_and_folders(store, bucket):
    body = bytes(range(256)) * 40_000
    with store.open_output_stream(f"{bucket}/a folder/ä+b.bin", metadata={"Content-Type": "text/x"}) as out:
        out.write(body)
    info = store.get_file_info(f"{bucket}/a folder/ä+b.bin")
    assert (info.type, info.size) == (pyarrow.fs.FileType.File, len(body))
    with store.open_input_file(f"{bucket}/a folder/ä+b.bin") as found:
        assert found.read_at(1000, 256) == body[256:1256]
        found.seek(len(body) - 10)
        assert found.read() == body[-10:]
    store.copy_file(f"{bucket}/a folder/ä+b.bin", f"{bucket}/copy")
    store.move(f"{bucket}/copy", f"{bucket}/deep/er/moved")
    everything = store.get_file_info(pyarrow.fs.FileSelector(bucket, recursive=True))
    files = sorted(info.path.removeprefix(f"{bucket}/") for info in everything if info.is_file)
    assert files == ["a folder/ä+b.bin", "deep/er/moved"]
    below = store.get_file_info(pyarrow.fs.FileSelector(bucket))
    assert sorted(info.base_name for info in below) == ["a folder", "deep"]
    assert store.get_file_info(f"{bucket}/nothing").type == pyarrow.fs.FileType.NotFound
    with pytest.raises(FileNotFoundError):
        store.open_input_file(f"{bucket}/nothing")
    store.delete_dir_contents(bucket)
    store.delete_dir(bucket)
    assert store.get_file_info(bucket).type == pyarrow.fs.FileType.NotFound


def test_a_large_file_is_uploaded_in_parts(store, bucket):
    block = bytes(range(256)) * (1 << 14)
    with store.open_output_stream(f"{bucket}/large") as out:
        for _ in range(6):
            out.write(block)
    with store.open_input_stream(f"{bucket}/large") as found:
        assert found.read() == block * 6


def test_a_partitioned_data_set(store, bucket, s3, tickertape):
    rows = pyarrow.table(
        {
            "n": pyarrow.array(range(10_000), pyarrow.int64()),
            "price": pyarrow.array([n / 7 for n in range(10_000)]),
            "dt": pyarrow.array([f"2012-06-{n % 9 + 1:02}" for n in range(10_000)]),
        }
    )
    partitioning = pyarrow.dataset.partitioning(pyarrow.schema([("dt", pyarrow.string())]), flavor="hive")
    table = f"p_{bucket[8:]}"
    pyarrow.dataset.write_dataset(rows, f"{bucket}/lake/{table}", filesystem=store, format="parquet", partitioning=partitioning)
    found = pyarrow.dataset.dataset(f"{bucket}/lake/{table}", filesystem=store, format="parquet", partitioning=partitioning)
    assert found.count_rows() == rows.num_rows
    day = found.to_table(columns=["n"], filter=pyarrow.compute.field("dt") == "2012-06-03")
    assert sorted(day["n"].to_pylist()) == list(range(2, 10_000, 9))
    tickertape("crawl", "--lake", f"s3://{bucket}/lake", "--s3-endpoint", s3["endpoint"])
    query = f"select count(*), sum(n), count(distinct dt) from {table} where dt >= '2012-06-03'"
    counted = tickertape("sql", "--s3-endpoint", s3["endpoint"], "--format", "csv", query).splitlines()[1]
    days = pyarrow.compute.greater_equal(rows["dt"], "2012-06-03")
    assert counted == f"{pyarrow.compute.sum(days).as_py()},{pyarrow.compute.sum(rows.filter(days)['n']).as_py()},7"
