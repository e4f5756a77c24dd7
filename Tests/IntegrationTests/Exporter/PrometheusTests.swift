import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("A real Prometheus")
    struct PrometheusTests {
        @Test("scrapes with default settings: the target is up, gzip is used, differences equal the traffic")
        func scrapes() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("seen", port, to: server.port))
            let prometheus = try PrometheusServer(target: weir.exporterPort)
            try waitUntil("the target is up", deadline: .seconds(20)) { try prometheus.value(of: "up") == 1 }

            // One point in time before the traffic and one after; both must have been scraped.
            let ingress = "weir_bytes_total{route=\"seen\",direction=\"ingress\"}"
            let before = try waitFor("a first sample", deadline: .seconds(20)) { try prometheus.value(of: ingress) }
            let sizes = [1, 10_000, 123_456]
            for size in sizes {
                let client = try TestConnection(to: Endpoint(port))
                try client.send(Pattern.bytes(size))
                try client.shutdownWriting()
                expectBytes(client.receive().bytes, Pattern.bytes(size))
            }
            let truth = try weir.scrapeWhenIdle("seen")
            let total = Double(sizes.reduce(0, +))
            try waitUntil("prometheus sees the traffic", deadline: .seconds(20)) {
                try prometheus.value(of: ingress) == before + total
            }
            for (series, value) in truth.values
            where series.name == "weir_bytes_total" || series.name.hasPrefix("weir_tcp_connections_") {
                let labels = series.labels.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ",")
                #expect(try prometheus.value(of: "\(series.name){\(labels)}") == value, "\(series)")
            }
            #expect(try prometheus.value(of: "min_over_time(up[1m])") == 1)
            #expect(try prometheus.value(of: "scrape_samples_scraped") ?? 0 > 20)

            let after = try weir.scrape()
            #expect(after.total("weir_exporter_response_bytes_total", ["encoding": "gzip"]) > 0)
            #expect(after.total("weir_exporter_requests_total", ["code": "200"]) > 2)
        }

        @Test("promtool finds nothing to complain about, before traffic and after it")
        func promtool() throws {
            let server = try TCPServer.echo()
            let datagrams = try UDPServer.echo()
            let (port, udpPort) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route("tcp-route", port, to: server.port),
                    .route("udp-route", udpPort, to: datagrams.port, scheme: "udp4"),
                ].joined(separator: "\n"))
            let folder = try TemporaryDirectory("promtool")
            func check(_ name: String) throws {
                let text = try HTTP.get("/metrics", port: weir.exporterPort).text
                let run = try ChildProcess.run(
                    "promtool", ["check", "metrics"], input: try folder.write(name, text))
                #expect(run.succeeded, "\(run)")
                #expect(run.output + run.errorOutput == "")
            }
            try check("before")
            let client = try TestConnection(to: Endpoint(port))
            try client.send("x")
            _ = client.receive(1)
            client.close()
            let datagramClient = try UDPSocket()
            try datagramClient.send([1], to: Endpoint(udpPort))
            _ = try datagramClient.receive()
            try weir.scrapeWhenIdle("tcp-route")
            try check("after")
        }

        @Test("gzip is used when it is asked for, and only then, and holds the same text")
        func gzip() throws {
            let weir = try WeirProcess(routes: .route("idle", try Ports.free(), to: 9))
            let folder = try TemporaryDirectory("gzip")
            let cases = [("gzip", true), ("gzip;q=0", false), ("identity", false), ("br, gzip;q=0.5", true)]
            for (asked, expected) in cases {
                let response = try HTTP.get("/metrics", port: weir.exporterPort, headers: ["Accept-Encoding": asked])
                #expect(response.status == 200)
                #expect((response.headers["content-encoding"] == "gzip") == expected, "\(asked)")
                #expect(response.headers["content-type"]?.contains("version=0.0.4") == true)
                #expect(response.headers["vary"]?.lowercased().contains("accept-encoding") == true)
                guard expected else {
                    _ = try Samples(response.text)
                    continue
                }
                let file = try folder.write("scrape.gz", response.body)
                let unpacked = try ChildProcess.run("gzip", ["-dc", file])
                #expect(unpacked.succeeded, "\(unpacked)")
                #expect(try Samples(unpacked.output).types["weir_bytes_total"] == "counter")
            }
        }

        @Test("a route exports at most 60 lines for TCP and 50 for UDP, histogram buckets apart")
        func seriesPerRoute() throws {
            let weir = try WeirProcess(
                routes: [
                    .route("tcp-route", try Ports.free(), to: 9),
                    .route("udp-route", try Ports.free(), to: 9, scheme: "udp4"),
                ].joined(separator: "\n"))
            let samples = try weir.scrape()
            for (route, limit) in [("tcp-route", 60), ("udp-route", 50)] {
                let lines = samples.values.keys.filter { $0.labels["route"] == route && $0.labels["le"] == nil }
                #expect(lines.count > 10)
                #expect(lines.count <= limit, "\(route) has \(lines.count)")
            }
        }
    }
}
