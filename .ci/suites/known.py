"""Known failures: `known/<suite>.<side>`, one test a line, each block of lines under the reason for it.

    # why these fail
    the test's name as the suite says it

A name after `sometimes ` may pass as well: what the test hopes for is a race. It counts as failed.
"""

import pathlib

DIR = pathlib.Path(__file__).resolve().parent / "known"
OUTCOMES = ("passed", "failed", "skipped")


SOMETIMES = "sometimes "


def read(suite, side):
    """test -> reason."""
    return {test.removeprefix(SOMETIMES): reason for test, reason in _entries(suite, side).items()}


def sometimes(suite, side):
    """Tests that may pass or fail."""
    return {test.removeprefix(SOMETIMES) for test in _entries(suite, side) if test.startswith(SOMETIMES)}


def _entries(suite, side):
    path = DIR / f"{suite}.{side}"
    listed = {}
    reason, in_reason = "", False
    for line in path.read_text().splitlines() if path.exists() else []:
        line = line.strip()
        if line.startswith("#"):
            text = line[1:].strip()
            reason = f"{reason} {text}" if in_reason else text
            in_reason = True
        elif line:
            in_reason = False
            if not reason:
                raise SystemExit(f"{path}: no reason above {line}")
            if line in listed:
                raise SystemExit(f"{path}: {line} is there twice")
            listed[line] = reason
        else:
            reason, in_reason = "", False
    return listed


def counts(suite, side, outcomes):
    failed = sometimes(suite, side)
    counted = ["failed" if test in failed else outcome for test, outcome in outcomes.items()]
    return {name: counted.count(name) for name in OUTCOMES}


def compare(suite, side, outcomes, partial):
    """What is not as listed, a sentence each. Of a partial run, only what ran is compared."""
    listed = read(suite, side)
    races = sometimes(suite, side)
    wrong = []
    if not outcomes:
        wrong.append("no test was found")
    for test, outcome in sorted(outcomes.items()):
        if outcome == "failed" and test not in listed:
            wrong.append(f"FAILED and not listed: {test}")
        elif outcome != "failed" and test in listed and test not in races:
            wrong.append(f"listed, but {outcome}: {test}")
    if not partial:
        wrong += [f"listed, but there is no such test: {test}" for test in sorted(listed) if test not in outcomes]
    return wrong


def only_ours(suite):
    """Tests that pass on Apache Kafka and are listed as failing on ours."""
    return sorted(set(read(suite, "ours")) - set(read(suite, "kafka")))
