import Testing
import WeirMetrics

@testable import WeirExporter

private func encoding(_ values: String...) -> ContentEncoding {
    var accepted = AcceptedEncodings()
    for value in values {
        let bytes = Array(value.utf8)
        accepted.merge(0..<bytes.count, of: bytes.span)
    }
    return accepted.preferred
}

private func accepted(_ value: String) -> AcceptedFormats {
    var accepted = AcceptedFormats()
    let bytes = Array(value.utf8)
    accepted.merge(0..<bytes.count, of: bytes.span)
    return accepted
}

@Suite struct NegotiationTests {
    @Test(
        "gzip is used where it has a weight, and never because of its letters",
        arguments: [
            ("gzip", true), ("GZIP", true), ("x-gzip", true), ("gzip, deflate, br", true),
            ("deflate, gzip;q=1.0", true),
            ("*", true), ("gzip;q=0.001", true), ("gzip ; q=0.5", true), ("gzip;q=1,identity;q=0", true),
            ("identity;q=0.5, gzip;q=0.5", true), ("gzip;q=7", true), ("identity;q=0, *;q=1", true), (",,gzip,", true),
            ("gzip;q=.5", true), ("", false), ("gzip;q=0", false), ("gzip;q=0.000", false), ("gzip; Q=0", false),
            ("gzip;q=0.0001", false), ("gzip;q=0, *", false), ("*;q=0", false), ("identity", false), ("br", false),
            ("gzipped", false), ("notgzip", false), ("identity, gzip;q=0.5", false), ("gzip;q=0.3, *;q=0.5", false),
            ("gzip;q=x", false), ("gzip;q=", false), ("gzip;q=-1", false), ("deflate;x=\"gzip,gzip\"", false),
        ])
    func encodings(value: String, isGzip: Bool) {
        #expect(encoding(value) == (isGzip ? .gzip : .identity))
    }

    @Test("Several header lines count as one list")
    func severalLines() {
        #expect(encoding("deflate", "gzip") == .gzip)
        #expect(encoding() == .identity)
    }

    @Test(
        "Accept is read by weight, and what is wrong in it is tolerated",
        arguments: [
            ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", 500),
            ("*/*;q=2", 1000), ("*/*", 1000), ("text/*;q=0.3, */*", 300), ("*/*;q=0.9, text/plain;q=0.2", 200),
            ("text/plain;q=abc", 1), ("TEXT/PLAIN;q=0.25", 250), ("text/plain;q=0.2, text/plain;q=0.4", 400),
            ("text/html, */*;q=0.8", 800), ("text/plain;version=1.0.0, text/plain;version=0.0.4;q=0.2", 200),
            ("a/b;x=\"text/plain,\\\"\";q=1,text/plain;q=0.75", 750),
        ])
    func formats(value: String, weight: Int) {
        #expect(accepted(value).text?.weight == weight)
    }

    @Test(
        "Where no range includes the text format, it is the answer all the same",
        arguments: ["image/png", "", ";", "\""])
    func noFormat(value: String) {
        #expect(accepted(value).text == nil)
        #expect(accepted(value).preferred == .text004)
    }

    /// The `Accept` fields of Prometheus, version by version.
    private static let prometheus2 =
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    private static let prometheus249 =
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
        + "text/plain;version=0.0.4;q=0.3,*/*;q=2"
    private static let prometheus3 =
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
        + "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
        + "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
    private static let prometheus3WithNativeHistograms =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
        + prometheus3
    private static let prometheus2WithNativeHistograms =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited,"
        + "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
        + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

    @Test(
        "A client that names OpenMetrics 1.0.0 and wants it no less than the text gets it",
        arguments: [
            (prometheus2, true), (prometheus249, true), (prometheus3, true),
            ("application/openmetrics-text", true), ("APPLICATION/OpenMetrics-Text; Version=\"1.0.0\"", true),
            ("application/openmetrics-text;q=0.5, */*", false), ("application/openmetrics-text, */*", true),
            ("application/openmetrics-text;q=0.5, */*;q=0.5", true), ("application/openmetrics-text;q=0.001", true),
            ("text/plain, application/openmetrics-text", false), ("application/openmetrics-text, text/plain", true),
            ("application/openmetrics-text;q=0, */*", false), ("application/openmetrics-text;version=0.0.1", false),
            ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", false), ("application/*", false),
            ("text/plain;version=0.0.4;q=0.3, application/openmetrics-text;version=1.0.0;q=0.4", true),
            ("application/openmetrics-text;q=x, text/plain;q=0.1", false), ("*/*", false), ("", false),
        ])
    func openMetrics(value: String, isAnswer: Bool) {
        #expect(accepted(value).preferred == (isAnswer ? .openMetrics100 : .text004))
    }

    private static let protobufMessage = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily"

    @Test(
        "Protobuf goes to clients that name message and encoding, and want it no less than the others",
        arguments: [
            (prometheus2WithNativeHistograms, .delimitedProtobuf),
            (prometheus3WithNativeHistograms, .delimitedProtobuf),
            (protobufMessage + ";encoding=delimited", .delimitedProtobuf),
            (protobufMessage + ";encoding=delimited;escaping=allow-utf-8;q=0.2", .delimitedProtobuf),
            (protobufMessage + "; encoding=\"delimited\", */*", .delimitedProtobuf),
            (
                "APPLICATION/VND.Google.Protobuf; Encoding=delimited; PROTO=io.prometheus.client.MetricFamily",
                .delimitedProtobuf
            ),
            ("application/openmetrics-text;q=0.5," + protobufMessage + ";encoding=delimited;q=0.5", .openMetrics100),
            (protobufMessage + ";encoding=delimited;q=0.5,application/openmetrics-text;q=0.5", .delimitedProtobuf),
            (protobufMessage + ";encoding=delimited;q=0.4,application/openmetrics-text;q=0.5", .openMetrics100),
            (protobufMessage + ";encoding=delimited;q=0.4,text/plain", .text004),
            (protobufMessage + ";encoding=delimited;q=0", .text004),
            (protobufMessage, .text004), (protobufMessage + ";encoding=text", .text004),
            (protobufMessage + ";encoding=compact-text", .text004),
            ("application/vnd.google.protobuf;encoding=delimited", .text004),
            ("application/vnd.google.protobuf", .text004),
            ("application/vnd.google.protobuf;proto=other;encoding=delimited,*/*;q=0.1", .text004),
            (protobufMessage + ";encoding=delimited;q=x,application/openmetrics-text;q=0.001", .delimitedProtobuf),
        ] as [(String, ExpositionFormat)])
    func delimitedProtobuf(value: String, format: ExpositionFormat) {
        #expect(accepted(value).preferred == format)
    }

    @Test func `the content type is exact`() {
        #expect(ExpositionFormat.text004.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(
            ExpositionFormat.openMetrics100.contentType
                == "application/openmetrics-text; version=1.0.0; charset=utf-8")
        #expect(
            ExpositionFormat.delimitedProtobuf.contentType
                == "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
    }
}
