"""What the last whole runs gave, and docs/suites.md, which is written from it and from the lists of known failures."""

import json
import pathlib

import known
from place import REPOSITORY

RESULTS = pathlib.Path(__file__).resolve().parent / "results.json"
PAGE = REPOSITORY / "docs" / "suites.md"

HEAD = """\
# Other people's client suites

<!-- Written by `.ci/suites/run --write`. -->

The tests of five clients, as published, run against the broker and against Apache Kafka 4.1.1 with the same properties. Their
package clients bring them at test time (`.ci/suites/`). Each cell is passed / failed / skipped.

| suite | client | Apache Kafka | here |
|---|---|---|---|
"""


class Record:
    """name of a suite -> its version, and its counts on each side."""

    def __init__(self, suites):
        self._read = json.dumps(suites, sort_keys=True)
        self.suites = suites

    @classmethod
    def read(cls):
        return cls(json.loads(RESULTS.read_text()) if RESULTS.exists() else {})

    def set(self, suite, side, counts):
        found = self.suites.setdefault(suite.NAME, {})
        found |= {"version": suite.VERSION, "url": suite.URL, "about": suite.ABOUT, side: counts}

    def write(self):
        RESULTS.write_text(json.dumps(self.suites, indent=2, sort_keys=True) + "\n")
        PAGE.write_text(self._page())

    def differences(self):
        """What is not as recorded, a sentence each."""
        wrong = []
        if json.dumps(self.suites, sort_keys=True) != self._read:
            wrong.append(f"the counts are not those of {RESULTS.relative_to(REPOSITORY)}: run with --write")
        elif not PAGE.exists() or PAGE.read_text() != self._page():
            wrong.append(f"{PAGE.relative_to(REPOSITORY)} is not up to date: run with --write")
        return wrong

    def _page(self):
        text = HEAD
        for name, found in sorted(self.suites.items()):
            cells = [self._cell(found.get(side)) for side in ("kafka", "ours")]
            text += f"| [{name} {found['version']}]({found['url']}) | {found['about']} | {' | '.join(cells)} |\n"
        # Of a suite that has not been run on Apache Kafka this is not known.
        only_ours = [f"`{test}` ({name})" for name, found in sorted(self.suites.items()) if "kafka" in found for test in known.only_ours(name)]
        text += f"\nPass on Apache Kafka and fail here: {', '.join(only_ours) or 'none'}.\n"
        text += "\n## Known failures\n\nA failure that is not one of these fails CI, and so does one of these that passes, unless it is a race.\n"
        for name in sorted(self.suites):
            text += self._failures(name)
        return text

    @staticmethod
    def _cell(counts):
        return " / ".join(str(counts[outcome]) for outcome in known.OUTCOMES) if counts else "not run"

    @staticmethod
    def _failures(name):
        kafka, ours = known.read(name, "kafka"), known.read(name, "ours")
        text = ""
        for reason in dict.fromkeys([*ours.values(), *kafka.values()]):
            tests = [test for test in {**kafka, **ours} if reason in (kafka.get(test), ours.get(test))]
            both = [test for test in tests if test in kafka and test in ours]
            where = "on both" if len(both) == len(tests) else "here" if tests[0] in ours else "on Apache Kafka"
            text += f"- {where}: {', '.join(f'`{test}`' for test in tests)}: {reason}\n"
        return f"\n### {name}\n\n{text}" if text else ""
