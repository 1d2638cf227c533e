"""s3cmd, rclone and MinIO's client: folders there and back, large files in parts, copies, tags, and forms that a browser posts."""

import datetime
import filecmp
import io
import os
import random
import subprocess
import sys
import uuid

import minio
import minio.commonconfig
import minio.datatypes
import minio.deleteobjects
import pytest
import urllib3

LARGE = random.Random(7).randbytes(17 << 20)


@pytest.fixture
def bucket(s3):
    return f"tools-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def folder(tmp_path):
    """Thirty small files and a large one, with names that have to be encoded."""
    (tmp_path / "from/a/b").mkdir(parents=True)
    for n in range(30):
        (tmp_path / f"from/a/file {n} ü+&.txt").write_text(str(n))
    (tmp_path / "from/a/b/large").write_bytes(LARGE)
    return tmp_path


def same(one, other):
    compared = filecmp.dircmp(one, other, ignore=[])
    alike = not (compared.left_only or compared.right_only or compared.diff_files or compared.funny_files)
    return alike and all(same(os.path.join(one, name), os.path.join(other, name)) for name in compared.common_dirs)


def run(*arguments, env=None):
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    assert "ERROR" not in done.stderr, done.stderr
    return done.stdout


def test_s3cmd(s3, bucket, folder):
    host = s3["endpoint"].removeprefix("http://")

    def s3cmd(*arguments):
        # Not the region that it should sign for: it learns that from the answer, as from Amazon's.
        keys = [f"--access_key={s3['access_key_id']}", f"--secret_key={s3['secret_access_key']}"]
        place = [f"--host={host}", f"--host-bucket={host}", "--no-ssl", "--config=/dev/null", "--no-progress"]
        return run(sys.executable, os.path.join(os.path.dirname(sys.executable), "s3cmd"), *place, *keys, *arguments)

    s3cmd("mb", f"s3://{bucket}")
    s3cmd("put", "--recursive", "--multipart-chunk-size-mb=5", folder / "from", f"s3://{bucket}/")
    assert len(s3cmd("ls", "--recursive", f"s3://{bucket}").splitlines()) == 31
    about = s3cmd("info", f"s3://{bucket}")
    assert "FULL_CONTROL" in about and "none" in about, about
    s3cmd("cp", f"s3://{bucket}/from/a/b/large", f"s3://{bucket}/copy")
    s3cmd("mv", f"s3://{bucket}/copy", f"s3://{bucket}/moved")
    s3cmd("modify", "--add-header=Cache-Control: no-cache", f"s3://{bucket}/moved")
    assert f"File size: {len(LARGE)}" in s3cmd("info", f"s3://{bucket}/moved")
    (folder / "back").mkdir()
    s3cmd("sync", f"s3://{bucket}/from/", f"{folder}/back/")
    assert same(folder / "from", folder / "back")
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}")
    s3cmd("rb", f"s3://{bucket}")


def test_rclone(s3, bucket, folder):
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    remote = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ACCESS_KEY_ID": s3["access_key_id"],
        "SECRET_ACCESS_KEY": s3["secret_access_key"],
        "ENDPOINT": s3["endpoint"],
        "REGION": "us-east-1",
    }
    env.update({f"RCLONE_CONFIG_LAKE_{name}": value for name, value in remote.items()})

    def rclone(*arguments):
        small = ["--s3-chunk-size=5M", "--s3-upload-cutoff=5M", "--retries=1", "--quiet"]
        return run("rclone", *small, *arguments, env=env)

    rclone("mkdir", f"lake:{bucket}")
    rclone("sync", folder / "from", f"lake:{bucket}/x")
    rclone("check", "--download", folder / "from", f"lake:{bucket}/x")
    rclone("copyto", f"lake:{bucket}/x/a/b/large", f"lake:{bucket}/copy")
    rclone("moveto", f"lake:{bucket}/copy", f"lake:{bucket}/deep/moved")
    rclone("copy", f"lake:{bucket}/deep", folder / "one")
    assert (folder / "one/moved").read_bytes() == LARGE
    (folder / "from/a/b/large").unlink()
    rclone("sync", folder / "from", f"lake:{bucket}/x")
    assert len(rclone("lsf", "--recursive", "--files-only", f"lake:{bucket}").splitlines()) == 31
    rclone("purge", f"lake:{bucket}")
    assert bucket not in rclone("lsd", "lake:")


@pytest.fixture
def client(s3):
    host = s3["endpoint"].removeprefix("http://")
    return minio.Minio(host, s3["access_key_id"], s3["secret_access_key"], secure=False, region="us-east-1")


def test_minio(client, bucket):
    client.make_bucket(bucket)
    client.put_object(bucket, "large", io.BytesIO(LARGE), -1, part_size=5 << 20)
    assert client.get_object(bucket, "large", offset=1000, length=256).read() == LARGE[1000:1256]
    sources = [minio.commonconfig.ComposeSource(bucket, "large"), minio.commonconfig.ComposeSource(bucket, "large")]
    client.compose_object(bucket, "twice", sources)
    assert client.get_object(bucket, "twice").read() == LARGE * 2
    tags = minio.commonconfig.Tags.new_object_tags()
    tags["who"] = "a b+c=d"
    client.put_object(bucket, "tagged", io.BytesIO(b"x"), 1, tags=tags)
    assert client.get_object_tags(bucket, "tagged") == tags
    client.delete_object_tags(bucket, "tagged")
    assert client.get_object_tags(bucket, "tagged") is None
    names = [found.object_name for found in client.list_objects(bucket, recursive=True)]
    assert names == ["large", "tagged", "twice"]
    wanted = [minio.deleteobjects.DeleteObject(name) for name in names]
    assert list(client.remove_objects(bucket, wanted)) == []
    client.remove_bucket(bucket)
    assert not client.bucket_exists(bucket)


def test_a_form_that_a_browser_posts(client, s3, bucket):
    client.make_bucket(bucket)
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    policy = minio.datatypes.PostPolicy(bucket, until)
    policy.add_starts_with_condition("key", "up/")
    form = client.presigned_post_policy(policy)

    def post(key):
        fields = {**form, "key": key, "file": ("name", b"hello")}
        return urllib3.PoolManager().request("POST", f"{s3['endpoint']}/{bucket}", fields=fields).status

    assert post("up/a") == 204
    assert client.get_object(bucket, "up/a").read() == b"hello"
    assert post("elsewhere/a") in (400, 403)
    assert [found.object_name for found in client.list_objects(bucket, recursive=True)] == ["up/a"]
