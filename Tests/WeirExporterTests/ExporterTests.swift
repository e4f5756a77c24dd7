import Glibc
import LinuxIO
import NetworkTypes
import Testing
import WeirMetrics

import struct TestSupport.SeededGenerator
import func TestSupport.waitUntil

@testable import WeirExporter

@Suite struct ExporterTests {
    @Test("A scrape gets the page, with type, length and Vary")
    func scrape() async throws {
        let observer = TestObserver()
        try await withExporter(page: TestPage(size: 2000), observer: observer) { port in
            let client = try TestClient(port: port)
            client.send(request())
            let answer = try #require(try client.answer())
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.headers["vary"] == "Accept, Accept-Encoding")
            #expect(answer.headers["content-encoding"] == nil)
            #expect(answer.text.hasPrefix("test_renderings_total 1\n"))
        }
        #expect(observer.seen.statuses == [.ok: 1])
        #expect(observer.seen.pages == 1 && observer.seen.series > 10)
        #expect(observer.seen.bytes[.identity] ?? 0 > 2000)
    }

    @Test("A page of megabytes arrives whole, plain and compressed")
    func largePage() async throws {
        try await withExporter(page: TestPage(size: 6_000_000)) { port in
            let client = try TestClient(port: port)
            client.send(request("GET", "/metrics", "Accept-Encoding: gzip"))
            let compressed = try #require(try client.answer())
            #expect(compressed.headers["content-encoding"] == "gzip")
            client.send(request("GET", "/metrics?unknown=x"))
            let plain = try #require(try client.answer())
            let inflated = try #require(gunzip(compressed.body))
            #expect(plain.body.count >= 6_000_000 && compressed.body.count < plain.body.count / 4)
            #expect(inflated.drop { $0 != 10 } == plain.body.drop { $0 != 10 })
        }
    }

    @Test("Clients that want different pages in one turn each get their own")
    func pagesOfOneTurn() async throws {
        let registry = MetricsRegistry(shardCount: 0)
        let descriptor = MetricDescriptor(name: "c_total", help: "Help.", kind: .counter, labelNames: ["route"])
        for route in ["a", "b"] { try registry.counter(descriptor, labels: [route]).add(1) }
        let openMetrics = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
        let observer = TestObserver()
        try await withExporter(page: RegistryPage(registry), observer: observer) { port in
            let client = try TestClient(port: port)
            client.send(
                request("GET", "/metrics", openMetrics) + request("GET", "/metrics?route=a", openMetrics)
                    + request("GET", "/metrics?name%5b%5D=c_*&route=b") + request("GET", "/metrics?name[]=d*"))
            let whole = try #require(try client.answer())
            #expect(
                whole.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(whole.headers["vary"] == "Accept, Accept-Encoding")
            let lines = [#"c_total{route="a"} 1"#, #"c_total{route="b"} 1"#]
            let header = "# TYPE c counter\n# HELP c Help.\n"
            #expect(whole.text == header + lines.joined(separator: "\n") + "\n# EOF\n")
            #expect(try #require(try client.answer()).text == header + lines[0] + "\n# EOF\n")
            let text = try #require(try client.answer())
            #expect(text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(text.text == "# HELP c_total Help.\n# TYPE c_total counter\n" + lines[1] + "\n")
            #expect(try #require(try client.answer()).text == "")
        }
        // Only the whole page tells how many series there are.
        #expect(observer.seen.pages == 4 && observer.seen.series == 2)
    }

    @Test(
        "A query that is none is refused",
        arguments: [
            "name[]=%", "name[]=%4", "name[]=%zz", "route=" + String(repeating: "x", count: 257),
            String(repeating: "route=a&", count: 65),
        ])
    func malformedQuery(query: String) async throws {
        try await withExporter(page: TestPage()) { port in
            let client = try TestClient(port: port)
            client.send(request("GET", "/metrics?" + query))
            #expect(try #require(try client.answer()).status == 400)
            client.send(request("GET", "/metrics?" + String(query.prefix(5))))
            #expect(try #require(try client.answer()).status == 200)
        }
    }

    @Test("HEAD answers as GET does, without the body, and the connection goes on")
    func head() async throws {
        try await withExporter(page: TestPage(size: 5000)) { port in
            let client = try TestClient(port: port)
            for path in ["/metrics", "/healthz", "/nowhere", "/"] {
                client.send(request("HEAD", path))
                client.send(request("GET", path))
                let head = try #require(try client.answer(hasBody: false))
                let get = try #require(try client.answer())
                #expect(head.status == get.status)
                #expect(head.headers == get.headers)
                #expect(get.headers["content-length"] == "\(get.body.count)" && !get.body.isEmpty)
            }
        }
    }

    @Test("Health and readiness say what their checks say")
    func health() async throws {
        let checks = HealthChecks(
            health: { .ok("2 workers") }, readiness: { .unavailable("draining since 10:00") })
        try await withExporter(health: checks) { port in
            let client = try TestClient(port: port)
            client.send(request("GET", "/healthz") + request("GET", "/readyz") + request("GET", "/"))
            let health = try #require(try client.answer())
            #expect(health.status == 200 && health.text == "2 workers\n")
            let readiness = try #require(try client.answer())
            #expect(readiness.status == 503 && readiness.text == "draining since 10:00\n")
            let index = try #require(try client.answer())
            #expect(index.headers["content-type"] == "text/html; charset=utf-8")
            #expect(index.text.contains("<h1>Weir &lt;1.0&gt;</h1>") && index.text.contains("href=\"/metrics\""))
        }
    }

    @Test(
        "Wrong requests get the right status and an end",
        arguments: [
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), ("\u{16}\u{3}\u{1}", 400), ("GET /\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400), (request("GET", "/", "Content-Length: 9000"), 413),
            (request("GET", "/", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n", 501),
            (request("POST", "/metrics", "Content-Length: 9000"), 405),
            (request("POST", "/metrics", "Connection: close"), 405),
        ])
    func wrongRequests(text: String, expected: Int) async throws {
        try await withExporter { port in
            let client = try TestClient(port: port)
            client.send(text)
            let answer = try #require(try client.answer())
            #expect(answer.status == expected)
            #expect(answer.headers["connection"] == "close")
            if expected == 405 { #expect(answer.headers["allow"] == "GET, HEAD") }
            #expect(try client.isClosed())
        }
    }

    @Test("An endless request line gets 414 and an endless header 431, although the client goes on sending")
    func endlessHead() async throws {
        try await withExporter { port in
            for (start, expected) in [("GET /", 414), ("GET / HTTP/1.1\r\nX: ", 431)] {
                let client = try TestClient(port: port)
                client.send(start + String(repeating: "x", count: 40_000))
                #expect(try client.answer()?.status == expected)
                #expect(try client.isClosed())
            }
        }
    }

    @Test("A short body is thrown away, wherever it is split, and the next request is found behind it")
    func body() async throws {
        try await withExporter { port in
            let client = try TestClient(port: port)
            client.send(request("GET", "/healthz", "Content-Length: 11") + "GET / ")
            client.send("HTTP/")
            client.send(request("POST", "/metrics", "Content-Length: 4") + "abcd" + request("GET", "/nowhere"))
            #expect(try client.answer()?.status == 200)
            #expect(try client.answer()?.status == 405)
            #expect(try client.answer()?.status == 404)
        }
    }

    @Test("100 pipelined requests are answered in order, also when the client has shut its side")
    func pipelining() async throws {
        try await withExporter { port in
            let client = try TestClient(port: port)
            client.send(String(repeating: request() + request("HEAD", "/healthz") + request("GET", "/x"), count: 100))
            client.shutdownWriting()
            for round in 1...100 {
                #expect(try client.answer()?.text == "test_renderings_total \(round)\n")
                #expect(try client.answer(hasBody: false)?.headers["content-length"] == "3")
                #expect(try client.answer()?.status == 404)
            }
            #expect(try client.isClosed())
        }
    }

    @Test("HTTP/1.0 is answered and closed, unless it asks to be kept")
    func http10() async throws {
        try await withExporter { port in
            let closing = try TestClient(port: port)
            closing.send("GET /metrics HTTP/1.0\r\n\r\n")
            #expect(try closing.answer()?.headers["connection"] == "close")
            #expect(try closing.isClosed())
            let keeping = try TestClient(port: port)
            for _ in 0..<3 {
                keeping.send("GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                #expect(try keeping.answer()?.headers["connection"] == "keep-alive")
            }
        }
    }

    @Test("Connection: close is honored, and what comes behind it is not answered")
    func close() async throws {
        try await withExporter { port in
            let client = try TestClient(port: port)
            client.send(request("GET", "/metrics", "Connection: close") + request())
            #expect(try client.answer()?.headers["connection"] == "close")
            #expect(try client.isClosed())
        }
    }

    @Test("200 connections at once are all answered, and a scrape works beside them")
    func manyConnections() async throws {
        try await withExporter { port in
            var clients: [TestClient] = []
            for _ in 0..<200 {
                let client = try TestClient(port: port)
                client.send(request())
                clients.append(client)
            }
            for client in clients { #expect(try client.answer()?.status == 200) }
            let scraper = try TestClient(port: port)
            scraper.send(request())
            #expect(try scraper.answer()?.status == 200)
        }
    }

    @Test("An address that is taken is named, and nothing is left listening")
    func takenAddress() async throws {
        try await withExporter { port in
            let taken = SocketAddress(.loopbackIPv4, port: port)
            let second = try Exporter(ExporterConfiguration(listen: [loopback, taken]), page: TestPage())
            let error = await #expect(throws: ExporterError.self) { try await second.start() }
            #expect(error?.description.hasPrefix("exporter: cannot listen on 127.0.0.1:\(port): bind: ") == true)
            #expect(second.localAddresses.isEmpty)
        }
    }

    @Test("An exporter starts once: another start is an error and changes nothing, also after the end")
    func secondStart() async throws {
        let exporter = try Exporter(ExporterConfiguration(listen: [loopback]), page: TestPage())
        try await exporter.start()
        let addresses = exporter.localAddresses
        await #expect(throws: ExporterError.alreadyStarted) { try await exporter.start() }
        #expect(exporter.localAddresses == addresses)
        let client = try TestClient(port: addresses[0].port)
        client.send(request())
        #expect(try client.answer()?.status == 200)
        await exporter.stop()
        await #expect(throws: ExporterError.alreadyStarted) { try await exporter.start() }
        let unused = try Exporter(ExporterConfiguration(listen: [loopback]), page: TestPage())
        await unused.stop()
        await #expect(throws: ExporterError.alreadyStarted) { try await unused.start() }
        #expect(unused.localAddresses.isEmpty)
    }

    @Test("Several addresses are served, IPv6 among them")
    func severalAddresses() async throws {
        let exporter = try Exporter(
            ExporterConfiguration(listen: [loopback, SocketAddress(.anyIPv6, port: 0)]), page: TestPage())
        try await exporter.start()
        #expect(exporter.localAddresses.count == 2)
        for address in exporter.localAddresses {
            let client = try TestClient(port: address.port)
            client.send(request())
            #expect(try client.answer()?.status == 200)
        }
        await exporter.stop()
        #expect(throws: TestClient.Failure.self) { _ = try TestClient(port: exporter.localAddresses.first?.port ?? 1) }
    }

    @Test("After the end no socket of the exporter is open, and its thread and loop are gone")
    func nothingIsLeft() async throws {
        weak var seen: Exporter?
        var ports: [UInt16] = []
        do {
            let exporter = try Exporter(ExporterConfiguration(listen: [loopback]), page: TestPage(size: 4_000_000))
            seen = exporter
            try await exporter.start()
            ports = exporter.localAddresses.map(\.port)
            var clients: [TestClient] = []
            for text in ["", "GET", request(), request("GET", "/", "Connection: close"), "\0"] {
                let client = try TestClient(port: ports[0])
                client.send(text)
                clients.append(client)
            }
            // Those that were answered for good may be gone by now; the other three stay.
            try await waitUntil("the exporter has its clients") { await exporter.connectionCount >= 3 }
            await exporter.stop()
            await exporter.stop()
            for client in clients { while try !client.isClosed() { client.dropReceived() } }
        }
        try waitUntil("the exporter is gone") { seen == nil }
        try waitUntil("its sockets are closed") { openSockets(port: ports[0]) == 0 }
    }

    @Test("The page of a registry is served as it is rendered")
    func registry() async throws {
        let registry = MetricsRegistry(shardCount: 1)
        let counter = try registry.counter(
            MetricDescriptor(name: "weir_test_total", help: "A test.", kind: .counter, labelNames: ["route"]),
            labels: ["a"])
        counter.add(41)
        let exporter = try Exporter(ExporterConfiguration(listen: [loopback]), page: RegistryPage(registry))
        try await exporter.start()
        let client = try TestClient(port: exporter.localAddresses[0].port)
        client.send(request())
        #expect(try client.answer()?.text.contains("\nweir_test_total{route=\"a\"} 41\n") == true)
        counter.add()
        client.send(request())
        #expect(try client.answer()?.text.contains("\nweir_test_total{route=\"a\"} 42\n") == true)
        await exporter.stop()
    }
}
