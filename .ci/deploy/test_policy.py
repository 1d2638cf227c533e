"""The roles of the template against the calls in the code: each call is allowed, and nothing is that is not called.

Operations of the AWS SDK look like `client.put_object()` in the code. What a call of the catalog's trait becomes is read off its
implementation for Glue, function by function, and what calls the trait is read off its callers.
"""

import re

from conftest import REPOSITORY
from test_template import listed, statements

# Operations of S3 whose permission has another name.
S3 = {
    "head_bucket": {"s3:ListBucket"},
    "head_object": {"s3:GetObject"},
    "get_object": {"s3:GetObject"},
    "put_object": {"s3:PutObject"},
    "create_multipart_upload": {"s3:PutObject"},
    "upload_part": {"s3:PutObject"},
    "complete_multipart_upload": {"s3:PutObject"},
    "abort_multipart_upload": {"s3:AbortMultipartUpload"},
    "list_objects_v2": {"s3:ListBucket"},
    "list_buckets": {"s3:ListAllMyBuckets"},
}
# Called, and on purpose not allowed; the code goes on without.
REFUSED = {
    "s3:ListAllMyBuckets": "only suggests a bucket's name when one was mistyped",
    "glue:CreateDatabase": "only where the database is missing, which the stack has made",
}
# Not called by us: what Athena does with S3 and Glue as the one who asks it, by its documentation.
ATHENAS = {
    "s3:GetBucketLocation",
    "s3:PutObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "glue:GetPartition",
    "glue:BatchGetPartition",
}
SDK = re.compile(r"\bclient\s*\.((?:get|put|head|list|delete|create|update|batch|start|stop|copy|upload|complete|abort|tag|restore)_\w+)\(\)")


def text(path):
    """A source file without its tests and comments."""
    source = (REPOSITORY / path).read_text().split("#[cfg(test)]")[0]
    return re.sub(r"^\s*//.*$", "", source, flags=re.M)


def sources(*folders):
    for folder in folders:
        root = REPOSITORY / folder
        for path in [root] if root.is_file() else sorted(root.rglob("*.rs")):
            if path.name != "tests.rs":
                yield path.relative_to(REPOSITORY)


def functions(source):
    """Name and body of each function, the body up to the next one."""
    parts = re.split(r"\bfn (\w+)", source)
    return dict(zip(parts[1::2], parts[2::2]))


def pascal(name):
    return "".join(part.capitalize() for part in name.split("_"))


def s3_calls(*folders):
    calls = {call for path in sources(*folders) for call in SDK.findall(text(path))}
    return set().union(*(S3[call] for call in calls))


def service_calls(service, *folders):
    return {f"{service}:{pascal(call)}" for path in sources(*folders) for call in SDK.findall(text(path))}


def trait_operations():
    """What each function of the trait asks of Glue, helpers followed."""
    of = functions(text("lake/src/catalog/glue/mod.rs"))
    trait = set(functions(text("lake/src/catalog/mod.rs")))
    operations = {}
    for name, body in of.items():
        direct = {f"glue:{pascal(call)}" for call in SDK.findall(body)}
        operations[name] = (direct, {other for other in of if re.search(rf"self\s*\.{other}\(", body)} - {name})
    whole = {}
    for name in operations:
        seen, todo = set(), [name]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo.extend(operations[one][1])
        whole[name] = set().union(*(operations[one][0] for one in seen))
    return {name: asked for name, asked in whole.items() if name in trait and asked}


def catalog_calls(*bodies):
    operations = trait_operations()
    called = {
        name
        for body in bodies
        for name in operations
        if re.search(rf"catalog(?:\.as_ref\(\))?\s*\.{name}\(", body)
    }
    return set().union(*(operations[name] for name in called), set())


def helpers(*sources_of_callers):
    """The bodies of the catalog's helpers (`ensure_table`, …) that are called, and of those that they call."""
    of = functions(text("lake/src/catalog/change.rs"))
    seen, todo = set(), list(sources_of_callers)
    while todo:
        body = todo.pop()
        for name in of:
            if name not in seen and re.search(rf"\b{name}\(", body):
                seen.add(name)
                todo.append(of[name])
    return [of[name] for name in seen]


def allowed(role):
    return {action for statement in statements(role) for action in listed(statement["Action"])}


def test_the_sink_may_do_what_it_does():
    registrar = text("e2e/src/registrar.rs")
    called = s3_calls("consumer/src") | catalog_calls(registrar, *helpers(registrar))
    assert {"s3:PutObject", "glue:BatchCreatePartition"} <= called
    assert allowed("SinkRole") == called - set(REFUSED)


def test_the_reader_may_do_what_it_does():
    folders = ["lake/src/crawl", "lake/src/sql", "lake/src/athena", "e2e/src/lake_access.rs", "e2e/src/verify.rs"]
    bodies = [text(path) for path in sources(*folders)]
    crawler = "lake/src/crawl/glue_crawler.rs"
    called = s3_calls("lake/src/crawl/objects.rs") | catalog_calls(*bodies, *helpers(*bodies))
    called |= service_calls("athena", "lake/src/athena") | service_calls("glue", crawler)
    assert {"athena:StartQueryExecution", "glue:StartCrawler", "glue:GetTables"} <= called
    assert allowed("ReaderRole") == (called - set(REFUSED)) | ATHENAS
