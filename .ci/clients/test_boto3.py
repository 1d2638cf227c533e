"""boto3: objects, ranges, conditions, uploads in parts, presigned URLs, and the catalog as AWS Glue serves it."""

import concurrent.futures
import io
import urllib.error
import urllib.request
import uuid

import boto3
import boto3.s3.transfer
import botocore.config
import botocore.exceptions
import pytest


def configured(**changed):
    return botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **changed)


def client(ready, service, **changed):
    settings = {
        "endpoint_url": ready["endpoint"],
        "region_name": "us-east-1",
        "aws_access_key_id": ready["access_key_id"],
        "aws_secret_access_key": ready["secret_access_key"],
        "config": configured(),
    }
    return boto3.client(service, **{**settings, **changed})


def refusal(call, *arguments, **named):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*arguments, **named)
    return caught.value.response["Error"]["Code"]


@pytest.fixture
def store(s3):
    return client(s3, "s3")


@pytest.fixture
def bucket(store):
    """A bucket that nothing else uses."""
    name = f"clients-{uuid.uuid4().hex[:12]}"
    store.create_bucket(Bucket=name)
    return name


def test_objects_and_ranges(store, bucket):
    body = bytes(range(256)) * 5000
    put = store.put_object(Bucket=bucket, Key="dir/a key+ä", Body=body, ContentType="text/x", Metadata={"colour": "blue"})
    got = store.get_object(Bucket=bucket, Key="dir/a key+ä")
    assert got["Body"].read() == body
    assert (got["ContentType"], got["Metadata"], got["ETag"]) == ("text/x", {"colour": "blue"}, put["ETag"])
    part = store.get_object(Bucket=bucket, Key="dir/a key+ä", Range="bytes=1000-1999")
    assert part["Body"].read() == body[1000:2000]
    assert part["ContentRange"] == f"bytes 1000-1999/{len(body)}"
    assert store.get_object(Bucket=bucket, Key="dir/a key+ä", Range="bytes=-10")["Body"].read() == body[-10:]
    assert refusal(store.get_object, Bucket=bucket, Key="dir/a key+ä", Range="bytes=9999999-") == "InvalidRange"
    store.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "dir/a key+ä"})
    store.delete_object(Bucket=bucket, Key="dir/a key+ä")
    assert refusal(store.get_object, Bucket=bucket, Key="dir/a key+ä") == "NoSuchKey"
    assert refusal(store.head_object, Bucket=bucket, Key="dir/a key+ä") == "404"
    assert store.head_object(Bucket=bucket, Key="copy")["ContentLength"] == len(body)
    assert refusal(store.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    store.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copy"}]})
    store.delete_bucket(Bucket=bucket)


def test_listings(store, bucket):
    keys = sorted(["a b/ä&<>+%", "a b/2", "c"] + [f"n/{n:04}" for n in range(1200)], key=lambda key: key.encode())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put_object(Bucket=bucket, Key=key, Body=b"x"), keys))
    for operation in ("list_objects", "list_objects_v2"):
        pages = store.get_paginator(operation).paginate(Bucket=bucket)
        assert [found["Key"] for page in pages for found in page.get("Contents", [])] == keys
        pages = list(store.get_paginator(operation).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}))
        assert [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])] == ["a b/", "n/"]
        assert [found["Key"] for page in pages for found in page.get("Contents", [])] == ["c"]


def test_conditional_puts_have_one_winner(store, bucket):
    def claim(n):
        try:
            store.put_object(Bucket=bucket, Key="claim", Body=b"%d" % n, IfNoneMatch="*")
            return n
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        winners = [n for n in pool.map(claim, range(24)) if n is not None]
    assert [store.get_object(Bucket=bucket, Key="claim")["Body"].read()] == [b"%d" % n for n in winners]
    etag = store.head_object(Bucket=bucket, Key="claim")["ETag"]
    store.put_object(Bucket=bucket, Key="claim", Body=b"next", IfMatch=etag)
    assert refusal(store.put_object, Bucket=bucket, Key="claim", Body=b"late", IfMatch=etag) == "PreconditionFailed"
    assert refusal(store.get_object, Bucket=bucket, Key="claim", IfNoneMatch='"' + "0" * 32 + '"', IfMatch=etag) == "PreconditionFailed"


def test_uploads_in_parts(store, bucket):
    body = b"0123456789abcdef" * (1 << 20)
    transfer = boto3.s3.transfer.TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=6 << 20)
    store.upload_fileobj(io.BytesIO(body), bucket, "large", Config=transfer)
    assert store.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    received = io.BytesIO()
    store.download_fileobj(bucket, "large", received, Config=transfer)
    assert received.getvalue() == body
    upload = store.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = []
    for number in (1, 2):
        part = store.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=b"small")
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]})
    complete = {"Bucket": bucket, "Key": "k", "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    assert refusal(store.complete_multipart_upload, **complete) == "EntityTooSmall"
    assert len(store.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]) == 2
    store.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    assert "Uploads" not in store.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls(s3, bucket, version):
    store = client(s3, "s3", config=configured(signature_version=version))
    named = {"Params": {"Bucket": bucket, "Key": "k"}, "ExpiresIn": 600}
    # Version 2, boto3's default for presigned URLs in some regions, signs the content type too.
    typed = {"Content-Type": "text/plain"}
    named_typed = {**named, "Params": {**named["Params"], "ContentType": "text/plain"}}
    url = store.generate_presigned_url("put_object", **named_typed)
    with urllib.request.urlopen(urllib.request.Request(url, data=b"by url", method="PUT", headers=typed)) as answer:
        assert answer.status == 200
    url = store.generate_presigned_url("get_object", **named)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"by url"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url.replace("/k?", "/other?"))
    assert refused.value.code == 403


def test_wrong_keys_are_refused(s3, bucket):
    wrong = client(s3, "s3", aws_secret_access_key="wrong")
    assert refusal(wrong.list_objects_v2, Bucket=bucket) == "SignatureDoesNotMatch"
    unknown = client(s3, "s3", aws_access_key_id="somebody")
    assert refusal(unknown.list_objects_v2, Bucket=bucket) == "InvalidAccessKeyId"


def test_the_catalog(s3, bucket):
    glue = client(s3, "glue")
    database = bucket.replace("-", "_")
    glue.create_database(DatabaseInput={"Name": database})
    assert refusal(glue.create_database, DatabaseInput={"Name": database}) == "AlreadyExistsException"
    storage = {"Columns": [{"Name": "price", "Type": "double"}], "Location": f"s3://{bucket}/ticks/"}
    table = {"Name": "ticks", "StorageDescriptor": storage, "PartitionKeys": [{"Name": "dt", "Type": "string"}]}
    glue.create_table(DatabaseName=database, TableInput=table)
    (found,) = glue.get_tables(DatabaseName=database)["TableList"]
    assert (found["Name"], found["StorageDescriptor"]["Columns"]) == ("ticks", storage["Columns"])
    assert found["CreateTime"].year > 2020
    days = [{"Values": [f"2012-06-{day:02}"], "StorageDescriptor": storage} for day in range(1, 31)]
    named = {"DatabaseName": database, "TableName": "ticks"}
    assert glue.batch_create_partition(**named, PartitionInputList=days)["Errors"] == []
    pages = glue.get_paginator("get_partitions").paginate(**named, Expression="dt > '2012-06-10'", PaginationConfig={"PageSize": 7})
    assert sum(len(page["Partitions"]) for page in pages) == 20
    assert refusal(glue.get_table, DatabaseName=database, Name="quotes") == "EntityNotFoundException"
    glue.delete_table(DatabaseName=database, Name="ticks")
    glue.delete_database(Name=database)
    assert refusal(client(s3, "glue", aws_secret_access_key="wrong").get_databases) == "InvalidSignatureException"


def test_refusals_have_amazons_codes(store, bucket):
    nowhere = f"no-{bucket}"
    store.put_object(Bucket=bucket, Key="k", Body=b"body")
    of = {"Bucket": bucket, "Key": "k"}
    assert refusal(store.put_object, Bucket=nowhere, Key="k", Body=b"") == "NoSuchBucket"
    assert refusal(store.get_object, Bucket=nowhere, Key="k") == "NoSuchBucket"
    assert refusal(store.delete_object, Bucket=nowhere, Key="k") == "NoSuchBucket"
    assert refusal(store.list_objects, Bucket=nowhere) == "NoSuchBucket"
    assert refusal(store.list_objects_v2, Bucket=nowhere) == "NoSuchBucket"
    assert refusal(store.create_multipart_upload, Bucket=nowhere, Key="k") == "NoSuchBucket"
    assert refusal(store.delete_bucket, Bucket=nowhere) == "NoSuchBucket"
    assert refusal(store.head_bucket, Bucket=nowhere) == "404"
    assert refusal(store.create_bucket, Bucket="Not-A-Name") == "InvalidBucketName"
    assert refusal(store.list_objects_v2, Bucket=bucket, MaxKeys=-1) == "InvalidArgument"
    assert refusal(store.list_objects_v2, Bucket=bucket, ContinuationToken="nonsense") == "InvalidArgument"
    assert refusal(store.copy_object, **of, CopySource=of) == "InvalidRequest"
    assert refusal(store.copy_object, **of, CopySource={"Bucket": bucket, "Key": "none"}) == "NoSuchKey"
    assert refusal(store.copy_object, **of, CopySource={"Bucket": nowhere, "Key": "k"}) == "NoSuchBucket"
    wrong = '"' + "0" * 32 + '"'
    assert refusal(store.get_object, **of, IfMatch=wrong) == "PreconditionFailed"
    assert refusal(store.get_object, **of, IfNoneMatch=store.head_object(**of)["ETag"]) == "304"
    assert refusal(store.put_object, **of, Body=b"", IfNoneMatch="*") == "PreconditionFailed"
    assert refusal(store.put_object, Bucket=bucket, Key="none", Body=b"", IfMatch=wrong) == "NoSuchKey"
    assert refusal(store.put_object, **of, Body=b"x", ChecksumSHA256="A" * 43 + "=") == "BadDigest"
    assert refusal(store.put_object, **of, Body=b"x", Metadata={"m": "v" * 2100}) == "MetadataTooLarge"
    assert refusal(store.put_object, Bucket=bucket, Key="k" * 1025, Body=b"x") == "KeyTooLongError"
    many = [{"Key": str(n)} for n in range(1001)]
    assert refusal(store.delete_objects, Bucket=bucket, Delete={"Objects": many}) == "MalformedXML"
    assert store.get_object(**of)["Body"].read() == b"body"


def test_an_upload_is_refused_where_its_parts_do_not_fit(store, bucket):
    of = {"Bucket": bucket, "Key": "k"}
    upload = {**of, "UploadId": store.create_multipart_upload(**of)["UploadId"]}
    large = store.upload_part(**upload, PartNumber=1, Body=b"x" * (5 << 20))["ETag"]
    small = store.upload_part(**upload, PartNumber=2, Body=b"y")["ETag"]
    first, last = {"PartNumber": 1, "ETag": large}, {"PartNumber": 2, "ETag": small}

    def complete(parts, **named):
        return refusal(store.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts}, **named)

    assert refusal(store.upload_part, **upload, PartNumber=10_001, Body=b"x") == "InvalidArgument"
    assert refusal(store.upload_part, **{**upload, "UploadId": "none"}, PartNumber=1, Body=b"x") == "NoSuchUpload"
    assert complete([last, first]) == "InvalidPartOrder"
    assert complete([first, {**last, "ETag": large}]) == "InvalidPart"
    assert complete([first, {"PartNumber": 3, "ETag": small}]) == "InvalidPart"
    assert complete([]) == "MalformedXML"
    store.put_object(**of, Body=b"there")
    assert complete([first, last], IfNoneMatch="*") == "PreconditionFailed"
    assert store.get_object(**of)["Body"].read() == b"there"
    done = store.complete_multipart_upload(**upload, MultipartUpload={"Parts": [first, last]}, IfMatch=store.head_object(**of)["ETag"])
    assert store.head_object(**of)["ETag"] == done["ETag"]
    assert store.get_object(**of, PartNumber=2)["Body"].read() == b"y"
    assert refusal(store.list_parts, **upload) == "NoSuchUpload"


def test_a_batch_of_deletions(store, bucket):
    for key in ("a", "b/c", "ü"):
        store.put_object(Bucket=bucket, Key=key, Body=b"x")
    asked = [{"Key": key} for key in ("a", "never there", "ü")]
    done = store.delete_objects(Bucket=bucket, Delete={"Objects": asked})
    assert sorted(found["Key"] for found in done["Deleted"]) == ["a", "never there", "ü"] and "Errors" not in done
    quiet = store.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b/c"}], "Quiet": True})
    assert "Deleted" not in quiet and store.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_tags(store, bucket):
    def tags(key):
        return {tag["Key"]: tag["Value"] for tag in store.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}

    store.put_object(Bucket=bucket, Key="a", Body=b"x", Tagging="who=me&b%20c=%C3%A4")
    assert tags("a") == {"who": "me", "b c": "ä"}
    assert store.get_object(Bucket=bucket, Key="a")["TagCount"] == 2
    before = store.head_object(Bucket=bucket, Key="a")["LastModified"]
    store.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "new", "Value": ""}]})
    assert (tags("a"), store.head_object(Bucket=bucket, Key="a")["LastModified"]) == ({"new": ""}, before)
    store.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")
    store.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/a", TaggingDirective="REPLACE", Tagging="c=1")
    upload = store.create_multipart_upload(Bucket=bucket, Key="d", Tagging="d=1")["UploadId"]
    part = store.upload_part(Bucket=bucket, Key="d", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    store.complete_multipart_upload(Bucket=bucket, Key="d", UploadId=upload, MultipartUpload=parts)
    assert [tags(key) for key in "bcd"] == [{"new": ""}, {"c": "1"}, {"d": "1"}]
    store.delete_object_tagging(Bucket=bucket, Key="a")
    assert tags("a") == {}
    twice = {"TagSet": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}
    assert refusal(store.put_object_tagging, Bucket=bucket, Key="a", Tagging=twice) == "InvalidTag"
    assert refusal(store.get_object_tagging, Bucket=bucket, Key="nothing") == "NoSuchKey"


def test_attributes(store, bucket):
    put = store.put_object(Bucket=bucket, Key="a", Body=b"hello", ChecksumAlgorithm="SHA256")
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    found = store.get_object_attributes(Bucket=bucket, Key="a", ObjectAttributes=wanted)
    assert (found["ETag"].strip('"'), found["ObjectSize"]) == (put["ETag"].strip('"'), 5)
    assert found["StorageClass"] == "STANDARD"
    assert found["Checksum"]["ChecksumSHA256"] == put["ChecksumSHA256"]


def test_what_is_not_set_up_is_answered_as_by_amazon(store, bucket):
    for call, code in [
        (store.get_bucket_policy, "NoSuchBucketPolicy"),
        (store.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (store.get_bucket_cors, "NoSuchCORSConfiguration"),
        (store.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"),
        (store.get_bucket_tagging, "NoSuchTagSet"),
        (store.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (store.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (store.get_bucket_ownership_controls, "OwnershipControlsNotFoundError"),
        (store.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        (store.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
    ]:
        assert refusal(call, Bucket=bucket) == code
        assert refusal(call, Bucket="no-such-bucket") == "NoSuchBucket"
    assert [grant["Permission"] for grant in store.get_bucket_acl(Bucket=bucket)["Grants"]] == ["FULL_CONTROL"]
    assert "Status" not in store.get_bucket_versioning(Bucket=bucket)
    assert store.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    store.put_object(Bucket=bucket, Key="a", Body=b"")
    assert [grant["Permission"] for grant in store.get_object_acl(Bucket=bucket, Key="a")["Grants"]] == ["FULL_CONTROL"]


def test_an_error_says_what_amazon_says(store, bucket, s3):
    wrong = client(s3, "s3", aws_secret_access_key="wrong")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        wrong.list_objects_v2(Bucket=bucket)
    assert caught.value.response["Error"]["Message"].startswith("The request signature we calculated does not match")
    assert caught.value.response["Error"]["Resource"] == f"/{bucket}"
    metadata = caught.value.response["ResponseMetadata"]
    assert metadata["HTTPHeaders"]["x-amz-request-id"] == metadata["RequestId"]


def test_ranges_that_cannot_be_are_refused(store, bucket):
    store.put_object(Bucket=bucket, Key="empty", Body=b"")
    for part in ("bytes=-5", "bytes=0-"):
        assert refusal(store.get_object, Bucket=bucket, Key="empty", Range=part) == "InvalidRange"
    store.put_object(Bucket=bucket, Key="short", Body=b"hello")
    upload = store.create_multipart_upload(Bucket=bucket, Key="copied")["UploadId"]
    copy = {"Bucket": bucket, "Key": "copied", "UploadId": upload, "PartNumber": 1, "CopySource": f"{bucket}/short"}
    assert refusal(store.upload_part_copy, CopySourceRange="bytes=0-9", **copy) == "InvalidArgument"
    part = store.upload_part_copy(CopySourceRange="bytes=1-4", **copy)["CopyPartResult"]["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    store.complete_multipart_upload(Bucket=bucket, Key="copied", UploadId=upload, MultipartUpload=parts)
    assert store.get_object(Bucket=bucket, Key="copied")["Body"].read() == b"ello"


def test_a_batch_that_could_not_be_answered_deletes_nothing(store, bucket):
    keys = ["plain", "with \x01 control"]
    for key in keys:
        store.put_object(Bucket=bucket, Key=key, Body=b"x")
    batch = {"Objects": [{"Key": key} for key in keys]}
    assert refusal(store.delete_objects, Bucket=bucket, Delete=batch) in ("InvalidArgument", "MalformedXML")
    assert store.get_object(Bucket=bucket, Key="plain")["Body"].read() == b"x"
    store.delete_object(Bucket=bucket, Key=keys[1])
    store.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "plain"}]})
    assert store.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_customers_own_key_is_not_taken_without_encrypting(store, bucket):
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    assert refusal(store.put_object, Bucket=bucket, Key="a", Body=b"x", **own) == "NotImplemented"


def test_a_url_is_good_for_a_week_at_most(s3, bucket):
    store = client(s3, "s3", config=configured(signature_version="s3v4"))
    store.put_object(Bucket=bucket, Key="a", Body=b"x")
    named = {"Bucket": bucket, "Key": "a"}
    week = 7 * 24 * 60 * 60
    url = store.generate_presigned_url("get_object", Params=named, ExpiresIn=week)
    assert urllib.request.urlopen(url).read() == b"x"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(store.generate_presigned_url("get_object", Params=named, ExpiresIn=week + 1))
    assert caught.value.code == 400
    assert b"AuthorizationQueryParametersError" in caught.value.read()
