"""kcat: produce, consume by assignment and as a group, metadata, offsets by time."""

import json
import subprocess


def kcat(bootstrap, *arguments, text=None):
    done = subprocess.run(["kcat", "-b", bootstrap, *arguments], input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_produced_is_consumed(bootstrap, topic):
    lines = [f"k{n % 7}:value {n}" for n in range(1000)]
    kcat(bootstrap, "-P", "-t", topic, "-K:", text="\n".join(lines) + "\n")
    out = kcat(bootstrap, "-C", "-t", topic, "-e", "-q", "-K:")
    assert sorted(out.splitlines()) == sorted(lines)


def test_each_codec(bootstrap, topic):
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        kcat(bootstrap, "-P", "-t", topic, "-z", codec, text=f"{codec} {'x' * 500}\n")
    out = kcat(bootstrap, "-C", "-t", topic, "-e", "-q")
    assert sorted(line.split()[0] for line in out.splitlines()) == ["gzip", "lz4", "none", "snappy", "zstd"]


def test_a_group_goes_on_where_it_stopped(bootstrap, topic):
    group = f"group-{topic}"
    kcat(bootstrap, "-P", "-t", topic, text="one\ntwo\nthree\n")
    assert kcat(bootstrap, "-G", group, "-e", "-q", "-X", "auto.offset.reset=earliest", topic).split() == ["one", "two", "three"]
    kcat(bootstrap, "-P", "-t", topic, text="four\n")
    assert kcat(bootstrap, "-G", group, "-e", "-q", "-X", "auto.offset.reset=earliest", topic).split() == ["four"]


def test_metadata(bootstrap, topic, tickertape):
    tickertape("topic", "create", topic, "--partitions", "3", "--bootstrap-server", bootstrap)
    listing = json.loads(kcat(bootstrap, "-L", "-J", "-t", topic))
    assert [len(found["partitions"]) for found in listing["topics"] if found["topic"] == topic] == [3]
    host, port = listing["brokers"][0]["name"].rsplit(":", 1)
    assert f"{host}:{port}" == bootstrap


def test_headers_and_offsets_by_time(bootstrap, topic):
    kcat(bootstrap, "-P", "-t", topic, "-p", "0", "-H", "source=kcat", text="first\nsecond\n")
    message = json.loads(kcat(bootstrap, "-C", "-t", topic, "-p", "0", "-o", "0", "-c", "1", "-J", "-q"))
    assert message["headers"] == ["source", "kcat"]
    assert kcat(bootstrap, "-Q", "-t", f"{topic}:0:{message['ts']}").split() == [topic, "[0]", "offset", "0"]


def test_our_cat_and_kcat_read_each_other(bootstrap, topic, tickertape):
    tickertape("cat", "-P", "-b", bootstrap, "-t", topic, "-K", ":", text="AAPL:1\nIBM:2\n")
    assert kcat(bootstrap, "-C", "-t", topic, "-e", "-q", "-f", "%k=%s\n").split() == ["AAPL=1", "IBM=2"]
    ours = tickertape("cat", "-C", "-b", bootstrap, "-t", topic, "-e", "-q", "-f", "%k=%s@%o\\n")
    assert ours.split() == ["AAPL=1@0", "IBM=2@1"]
