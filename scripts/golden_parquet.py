#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the tiny Parquet files of tests/golden/parquet and, beside them, the records that pyarrow
reads back as JSONL, once for files of the same records: every encoding, compression and nesting that
the reader claims.

    python3 scripts/golden_parquet.py [FOLDER]

Needs pyarrow (made with 26.0.1). Nothing is random: the same pyarrow writes the same bytes."""
import base64
import datetime as dt
import decimal
import json
import pathlib
import sys
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/parquet")
folder.mkdir(parents=True, exist_ok=True)
written = {}


def plain(value):
    """As core/data/parquet_json.c writes it; a pyarrow map is a list of pairs."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return {"key": plain(value[0]), "value": plain(value[1])}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        text = value.isoformat(timespec="seconds").replace("+00:00", "")
        digits = "" if not value.microsecond else (
            f".{value.microsecond // 1000:03}" if value.microsecond % 1000 == 0
            else f".{value.microsecond:06}")
        return text + digits + ("Z" if value.tzinfo else "")
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    if hasattr(value, "item"):
        return value.item()
    return value


def write(name, table, records=None, **options):
    """`records` names the JSONL; files that share it must hold the same."""
    path = folder / f"{name}.parquet"
    pq.write_table(table, path, **options)
    rows = pq.read_table(path).to_pylist()
    text = "".join(json.dumps(plain(row), ensure_ascii=False) + "\n" for row in rows)
    assert written.setdefault(records or name, text) == text, name
    (folder / f"{records or name}.jsonl").write_text(text, encoding="utf-8")
    size = path.stat().st_size
    assert size < 20000, (name, size)
    print(f"{name}: {len(rows)} rows, {size} bytes")


WORDS = ["", "a", "naïve", "λ → μ", "line\nbreak", "nul\0inside", "repeat", "repeat", "𝔘𝔫𝔦",
         "long " * 6]


def flat(n):
    return pa.table({
        "text": pa.array([None if i % 7 == 3 else WORDS[i % 10] + str(i % 4) for i in range(n)]),
        "label": pa.array([WORDS[i // 9 % 10] for i in range(n)]),
        "small": pa.array([i % 200 - 100 for i in range(n)], pa.int8()),
        "byte": pa.array([i % 256 for i in range(n)], pa.uint8()),
        "int": pa.array([None if i % 5 == 0 else (-1) ** i * i * 1000003 for i in range(n)],
                        pa.int32()),
        "unsigned": pa.array([(i * 2654435761) % 2**32 for i in range(n)], pa.uint32()),
        "long": pa.array([(i * 0x9E3779B97F4A7C15 + 2**62) % 2**64 - 2**63 for i in range(n)],
                         pa.int64()),
        "single": pa.array([i / 3 for i in range(n)], pa.float32()),
        "double": pa.array([None if i % 11 == 2 else (i - 20) ** 3 / 7 for i in range(n)]),
        "flag": pa.array([None if i % 13 == 0 else i % 3 == 0 for i in range(n)]),
        "sure": pa.array([i % 8 < 3 for i in range(n)]),
    }, schema=pa.schema([
        ("text", pa.string()), pa.field("label", pa.string(), nullable=False),
        ("small", pa.int8()), ("byte", pa.uint8()), ("int", pa.int32()),
        ("unsigned", pa.uint32()), pa.field("long", pa.int64(), nullable=False),
        ("single", pa.float32()), ("double", pa.float64()), ("flag", pa.bool_()),
        pa.field("sure", pa.bool_(), nullable=False)]))


for codec in ["none", "snappy", "gzip", "zstd"]:
    for version in ["1.0", "2.0"]:
        write(f"flat-{codec}-v{version[0]}", flat(40), "flat", compression=codec,
              data_page_version=version, write_page_checksum=codec == "zstd")
write("flat-groups", flat(90), row_group_size=32, data_page_size=64, write_batch_size=8,
      use_dictionary=["label"])
write("flat-brotli", flat(3), compression="brotli")

deltas = {"int": "DELTA_BINARY_PACKED", "long": "DELTA_BINARY_PACKED",
          "small": "DELTA_BINARY_PACKED", "unsigned": "DELTA_BINARY_PACKED",
          "text": "DELTA_LENGTH_BYTE_ARRAY", "label": "DELTA_BYTE_ARRAY", "flag": "RLE",
          "sure": "RLE", "single": "BYTE_STREAM_SPLIT", "double": "BYTE_STREAM_SPLIT"}
for version in ["1.0", "2.0"]:
    write(f"delta-v{version[0]}", flat(300), "delta", use_dictionary=False, column_encoding=deltas,
          data_page_version=version, compression="zstd", data_page_size=2000)
write("split-ints", flat(20).select(["int", "long"]), use_dictionary=False, compression="none",
      column_encoding={"int": "BYTE_STREAM_SPLIT", "long": "BYTE_STREAM_SPLIT"})

example = pa.struct([("input", pa.string()), ("output", pa.string())])
nested = pa.table({
    "id": pa.array(["1/A", "2/B", None, "3/C", "4/D", "5/E"]),
    "examples": pa.array([
        [{"input": "1 2", "output": "3"}, {"input": None, "output": "x"}], [], None,
        [None, {"input": "a", "output": None}], [{"input": "", "output": ""}],
        [{"input": str(i), "output": str(i * i)} for i in range(20)]], pa.list_(example)),
    "options": pa.array([["a", "b", None], [], None, [""], ["x"] * 12, ["y"]],
                        pa.list_(pa.string())),
    "matrix": pa.array([[[1, 2], [3]], [[]], [], None, [None, [None]], [[7] * 9] * 3],
                       pa.list_(pa.list_(pa.int64()))),
    "message": pa.array([
        {"role": "user", "content": "hi", "meta": {"tags": ["p", "q"]}}, None,
        {"role": None, "content": "", "meta": None},
        {"role": "system", "content": "be\nkind", "meta": {"tags": None}},
        {"role": "tool", "content": "c", "meta": {"tags": []}},
        {"role": "z", "content": "d", "meta": {"tags": [None]}}],
        pa.struct([("role", pa.string()), ("content", pa.string()),
                   ("meta", pa.struct([("tags", pa.list_(pa.string()))]))])),
    "tests": pa.array([
        [{"args": [1, 2], "expected": {"value": [True]}}], None, [],
        [{"args": [], "expected": None}, {"args": None, "expected": {"value": None}}],
        [None], [{"args": [5], "expected": {"value": [False, None]}}] * 2],
        pa.list_(pa.struct([("args", pa.list_(pa.int32())),
                            ("expected", pa.struct([("value", pa.list_(pa.bool_()))]))]))),
    "map": pa.array([[("k", 1), ("l", None)], [], None, [("m", 3)], None, [("n", 4)] * 3],
                    pa.map_(pa.string(), pa.int32())),
})
for version in ["1.0", "2.0"]:
    write(f"nested-v{version[0]}", nested, "nested", data_page_version=version, compression="snappy")
write("nested-pages", nested, "nested", data_page_size=1, write_batch_size=1, row_group_size=4,
      compression="none")
write("nested-old-names", nested, "nested", use_compliant_nested_type=False, compression="none")
write("nested-required", pa.table({"list": pa.array([[1, 2], [3]], pa.list_(
    pa.field("element", pa.int32(), nullable=False)))}, schema=pa.schema([
        pa.field("list", pa.list_(pa.field("element", pa.int32(), nullable=False)),
                 nullable=False)])), compression="none")

utc = dt.timezone.utc
stamps = [dt.datetime(1970, 1, 1), dt.datetime(2024, 2, 29, 23, 59, 59, 123000),
          dt.datetime(1899, 12, 31, 1, 2, 3), None, dt.datetime(9999, 12, 31, 23, 59, 59, 999000)]
times = pa.table({
    "date": pa.array([dt.date(1970, 1, 1), dt.date(2000, 2, 29), dt.date(1, 1, 1), None,
                      dt.date(9999, 12, 31)]),
    "ms": pa.array(stamps, pa.timestamp("ms")),
    "utc": pa.array([s and s.replace(tzinfo=utc) for s in stamps], pa.timestamp("ms", "UTC")),
    "time": pa.array([dt.time(0, 0), dt.time(23, 59, 59), dt.time(1, 2, 3), None,
                      dt.time(12, 0)], pa.time32("ms")),
})
write("times-ms", times, compression="none")
micro = [s and s.replace(microsecond=7) for s in stamps]
write("times-us", pa.table({
    "us": pa.array(micro, pa.timestamp("us")),
    "time": pa.array([s and s.time() for s in micro], pa.time64("us"))}), compression="none")
write("times-int96", pa.table({"old": pa.array(micro[:2] + [None], pa.timestamp("us"))}),
      use_deprecated_int96_timestamps=True, compression="none")

D = decimal.Decimal
write("decimals", pa.table({
    "money": pa.array([D("0.00"), D("-1.05"), D("12345.67"), None, D("-0.01")],
                      pa.decimal128(9, 2)),
    "wide": pa.array([D("1"), D("-170141183460469231731687303715884105"), D("0"), None,
                      D("99999999999999999999999999999999999999")], pa.decimal128(38, 0)),
    "fine": pa.array([D("1e-10"), D("-1"), D("0.5"), None, D("12.0000000001")],
                     pa.decimal256(60, 10))}), compression="none")
write("decimals-ints", pa.table({
    "money": pa.array([D("0.00"), D("-1.05"), D("12345.67"), None], pa.decimal128(9, 2)),
    "long": pa.array([D("-1.000"), D("999999999999.999"), None, D("0.001")],
                     pa.decimal128(18, 3))}), store_decimal_as_integer=True, compression="none")

write("others", pa.table({
    "bytes": pa.array([b"text", b"\xff\x00\x01", b"", None, b"\x80"]),
    "fixed": pa.array([b"\xff\x02\x03"] * 4 + [None], pa.binary(3)),
    "large": pa.array(["a", None, "ß", "", "z"], pa.large_string()),
    "null": pa.nulls(5),
    "half": pa.array([0.5, -2.0, 65504.0, None, 5.960464477539063e-08], pa.float16()),
    "real": pa.array([float("nan"), float("inf"), -0.0, 1e-300, None]),
    "uuid": pa.array([uuid.UUID(int=i << 64 | 7).bytes for i in range(5)], pa.uuid()),
    "category": pa.array(["x", "y", "x", None, "y"]).dictionary_encode(),
}), compression="none")
write("empty", flat(0), compression="snappy")
write("all-null", pa.table({"a": pa.array([None] * 200, pa.string()),
                            "b": pa.array([None] * 200, pa.list_(pa.int64()))}),
      compression="none")
