"""Reads a page with parsers that are not ours: the two of prometheus_client, and Google's protobuf library with the message
types of prometheus/client_model declared here. All give the same: {(name, labels as sorted pairs): value}.

As a program, for the tests in Swift: `foreign_reader.py text|openmetrics|protobuf <page` prints [[name, {labels}, "value"], …].
"""

import json
import math
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from prometheus_client import openmetrics, parser
from prometheus_client.openmetrics import parser as _  # noqa: F401 (makes openmetrics.parser known)

PACKAGE = "io.prometheus.client"

# message: {field: (number, type)}; "+" is repeated. The numbers are those of io/prometheus/client/metrics.proto.
MESSAGES = {
    "LabelPair": {"name": (1, "string"), "value": (2, "string")},
    "Gauge": {"value": (1, "double")},
    "Timestamp": {"seconds": (1, "int64"), "nanos": (2, "int32")},
    "Counter": {"value": (1, "double"), "created_timestamp": (3, "Timestamp")},
    "Bucket": {"cumulative_count": (1, "uint64"), "upper_bound": (2, "double")},
    "BucketSpan": {"offset": (1, "sint32"), "length": (2, "uint32")},
    "Histogram": {
        "sample_count": (1, "uint64"), "sample_sum": (2, "double"), "bucket": (3, "+Bucket"), "schema": (5, "sint32"),
        "zero_threshold": (6, "double"), "zero_count": (7, "uint64"), "positive_span": (12, "+BucketSpan"),
        "positive_delta": (13, "+sint64"), "created_timestamp": (15, "Timestamp"),
    },
    "Metric": {
        "label": (1, "+LabelPair"), "gauge": (2, "Gauge"), "counter": (3, "Counter"), "histogram": (7, "Histogram"),
    },
    "MetricFamily": {
        "name": (1, "string"), "help": (2, "string"), "type": (3, "int32"), "metric": (4, "+Metric"), "unit": (5, "string"),
    },
}
TYPES = {0: "counter", 1: "gauge", 4: "histogram"}


def _family_type():
    file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package=PACKAGE, syntax="proto2")
    for message, fields in MESSAGES.items():
        declared = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            field = declared.field.add(name=name, number=number)
            field.label = field.LABEL_REPEATED if kind[0] == "+" else field.LABEL_OPTIONAL
            kind = kind.lstrip("+")
            if kind in MESSAGES:
                field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                field.type = getattr(field, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.MetricFamily"))


MetricFamily = _family_type()


def families(page: bytes) -> list:
    """The messages of a delimited page. Unknown fields are an error: there would be something that no test looks at."""
    found, position = [], 0
    while position < len(page):
        length, shift = 0, 0
        while True:
            byte = page[position]
            length |= (byte & 0x7F) << shift
            position, shift = position + 1, shift + 7
            if byte < 0x80:
                break
        family = MetricFamily.FromString(page[position:position + length])
        assert family.ByteSize() == length, "something that is not in the schema"
        found.append(family)
        position += length
    assert position == len(page)
    return found


def key(name: str, labels: dict) -> tuple:
    return name, tuple(sorted(labels.items()))


def read_protobuf(page: bytes) -> dict:
    samples = {}
    for family in families(page):
        kind = TYPES[family.type]
        for metric in family.metric:
            labels = {pair.name: pair.value for pair in metric.label}
            assert len(labels) == len(metric.label) and metric.HasField(kind)
            if kind != "histogram":
                own = {key(family.name, labels): getattr(metric, kind).value}
            else:
                own = _histogram(family.name, labels, metric.histogram)
            assert not samples.keys() & own.keys()
            samples |= own
    return samples


def _histogram(name: str, labels: dict, histogram) -> dict:
    samples = {
        key(f"{name}_count", labels): float(histogram.sample_count),
        key(f"{name}_sum", labels): histogram.sample_sum,
        key(f"{name}_bucket", labels | {"le": math.inf}): float(histogram.sample_count),
    }
    for bucket in histogram.bucket:
        samples[key(f"{name}_bucket", labels | {"le": bucket.upper_bound})] = float(bucket.cumulative_count)
    return samples


def native_buckets(histogram) -> dict:
    """{number of the bucket: count}, spans and deltas undone; the zero bucket is None."""
    buckets, number, count = {None: histogram.zero_count}, 0, 0
    deltas = iter(histogram.positive_delta)
    for span in histogram.positive_span:
        number += span.offset
        for _ in range(span.length):
            count += next(deltas)
            assert count >= 0
            buckets[number] = count
            number += 1
    assert next(deltas, None) is None
    return {number: count for number, count in buckets.items() if count}


def _read_text(parsed) -> dict:
    samples = {}
    for family in parsed:
        for sample in family.samples:
            labels = dict(sample.labels)
            if "le" in labels and sample.name.endswith("_bucket"):
                labels["le"] = float(labels["le"])
            assert sample.timestamp is None and key(sample.name, labels) not in samples
            samples[key(sample.name, labels)] = sample.value
    return samples


def read_text(page: bytes) -> dict:
    return _read_text(parser.text_string_to_metric_families(page.decode()))


def read_openmetrics(page: bytes) -> dict:
    return _read_text(openmetrics.parser.text_string_to_metric_families(page.decode()))


READERS = {"text": read_text, "openmetrics": read_openmetrics, "protobuf": read_protobuf}

if __name__ == "__main__":
    read = READERS[sys.argv[1]](sys.stdin.buffer.read())
    rows = [[name, {label: str(value) for label, value in labels}, repr(value)] for (name, labels), value in read.items()]
    json.dump(rows, sys.stdout)
