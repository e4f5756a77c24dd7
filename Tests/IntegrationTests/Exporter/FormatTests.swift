import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("The formats of the page")
    struct FormatTests {
        private static let protobuf =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

        @Test("what the real binary exposes breaks no rule of OpenMetrics")
        func openMetrics() throws {
            let server = try TCPServer.echo()
            let datagrams = try UDPServer.echo()
            let (port, udpPort) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route("tcp-route", port, to: server.port),
                    .route("udp-route", udpPort, to: datagrams.port, scheme: "udp4"),
                ].joined(separator: "\n"))
            let client = try TestConnection(to: Endpoint(port))
            try client.send("x")
            _ = client.receive(1)
            client.close()
            try weir.scrapeWhenIdle("tcp-route")
            let page = OpenMetricsPage(
                try HTTP.get(
                    "/metrics", port: weir.exporterPort, headers: ["Accept": "application/openmetrics-text"]
                ).body)
            #expect(page.samples.count > 200)
            for rule in OpenMetricsRule.all { #expect(rule.violation(page) == nil, "\(rule.name)") }
            // Target labels belong to the scraper: no label may be on every series.
            let common = page.samples.map { Set($0.labels) }.reduce(nil) { $0?.intersection($1) ?? $1 }
            #expect(common == [])
        }

        @Test("protobuf is answered where it is asked for, also compressed, with its exact type")
        func delimitedProtobuf() throws {
            let weir = try WeirProcess(routes: .route("idle", try Ports.free(), to: 9))
            func get(_ headers: [String: String]) throws -> HTTP.Response {
                try HTTP.get("/metrics?route=idle", port: weir.exporterPort, headers: headers)
            }
            let plain = try get(["Accept": Self.protobuf])
            #expect(plain.headers["content-type"] == Self.protobuf)
            #expect(plain.headers["vary"] == "Accept, Accept-Encoding")
            let page = try ProtobufPage(plain.body)
            #expect(page.families.contains { $0.name == "weir_bytes_total" && $0.type == 0 && $0.unit == "bytes" })
            let compressed = try get(["Accept": Self.protobuf, "Accept-Encoding": "gzip"])
            #expect(compressed.headers["content-encoding"] == "gzip")
            #expect(compressed.headers["content-type"] == Self.protobuf)
            #expect(compressed.body.count < plain.body.count / 2)
            let head = try HTTP.get(
                "/metrics?route=idle", port: weir.exporterPort, headers: ["Accept": Self.protobuf], method: "HEAD")
            #expect(head.headers["content-type"] == Self.protobuf && head.body.isEmpty)
            let scrapes = try weir.scrape()
            let name = "weir_exporter_scrape_duration_seconds_count"
            #expect(scrapes.total(name, ["format": "protobuf"]) == 3)
        }

        @Test("quantiles of native histograms in a real Prometheus are within the schema's error", arguments: [3, 6])
        func quantiles(schema: Int) throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("seen", port, to: server.port), rest: "log: { format: json }",
                exporter: "listen: 127.0.0.1:PORT, native_histograms: true, native_histogram_schema: \(schema)")
            let prometheus = try PrometheusServer(target: weir.exporterPort, features: ["native-histograms"])

            // Each lives for as long as its exchanges take, the last ones for the longest.
            for rounds in 1...60 {
                let client = try TestConnection(to: Endpoint(port))
                for _ in 0..<rounds * 2 {
                    try client.send("?")
                    #expect(client.receive(1).text == "?")
                }
            }
            let durations = try waitFor("the log tells of all") {
                let found = try weir.logLines.filter { $0.contains("\"reason\"") }.compactMap(Self.duration)
                return found.count == 60 ? found.sorted() : nil
            }
            let truth = try weir.scrapeWhenIdle("seen")
            let name = "weir_tcp_connection_duration_seconds"
            let series = "\(name){route=\"seen\"}"
            try waitUntil("prometheus has them all", deadline: .seconds(20)) {
                try prometheus.value(of: "histogram_count(\(series))") == 60
            }
            // The log has microseconds, the histogram nanoseconds.
            let growth = pow(2, pow(2, -Double(schema))) * 1.002
            for quantile in [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1] {
                let answer = try #require(try prometheus.value(of: "histogram_quantile(\(quantile), \(series))"))
                let sample = durations[max(0, Int((quantile * 60).rounded(.up)) - 1)]
                #expect(sample / growth <= answer && answer <= sample * growth, "\(quantile): \(answer), \(sample)")
            }
            let sum = try #require(truth["\(name)_sum", ["route": "seen"]])
            #expect(try prometheus.value(of: "histogram_sum(\(series))") == sum)
            #expect(abs(sum - durations.reduce(0, +)) < 60 * 1e-6)
            #expect(try prometheus.value(of: "\(name)_bucket{route=\"seen\",le=\"+Inf\"}") == nil)
            // Everything else comes by protobuf, too, and is the same.
            for (series, value) in truth.values
            where series.labels["route"] == "seen" && truth.types[series.name] == "counter" {
                let labels = series.labels.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ",")
                #expect(try prometheus.value(of: "\(series.name){\(labels)}") == value, "\(series)")
            }
            let scrapes = "weir_exporter_scrape_duration_seconds_count"
            let after = try weir.scrape()
            #expect(after.total(scrapes, ["format": "protobuf"]) > 0)
            #expect(after.total(scrapes, ["format": "openmetrics"]) == 0)
        }

        private static func duration(_ line: String) throws -> Double? {
            let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return record?["duration"] as? Double
        }
    }
}
