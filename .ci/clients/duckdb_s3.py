"""Runs SQL in DuckDB with its S3 client (the extension `httpfs`), and prints the rows of the last statement as JSON.

Run by the Python that `TICKERTAPE_DUCKDB_PYTHON` names, which has DuckDB and the extension (requirements-duckdb-s3.txt).
"""

import glob
import json
import pathlib
import sys

import duckdb

ready, statements = json.load(sys.stdin)
connection = duckdb.connect()
packages = pathlib.Path(duckdb.__file__).parent.parent
(extension,) = glob.glob(str(packages / "duckdb_ext/extensions/*/*/httpfs.duckdb_extension"))
connection.execute(f"LOAD '{extension}'")
connection.execute(
    f"""CREATE SECRET (TYPE s3, KEY_ID '{ready["access_key_id"]}', SECRET '{ready["secret_access_key"]}', REGION 'us-east-1',
    ENDPOINT '{ready["endpoint"].removeprefix("http://")}', URL_STYLE 'path', USE_SSL false)"""
)
for statement in statements:
    answer = connection.execute(statement)
print(json.dumps(answer.fetchall(), default=str))
