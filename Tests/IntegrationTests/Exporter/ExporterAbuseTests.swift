import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("The exporter under abuse")
    struct ExporterAbuseTests {
        private static func start() throws -> WeirProcess {
            try WeirProcess(routes: .route("idle", try Ports.free(), to: 9))
        }

        /// Sends bytes as they are and returns the status of the answer, or nil when the connection just ended.
        private static func status(of bytes: [UInt8], to weir: WeirProcess, thenEnd: Bool = false) throws -> Int? {
            let connection = try TestConnection(to: Endpoint(weir.exporterPort))
            // The server may answer and close before everything is sent: that is an answer too.
            try? connection.send(bytes)
            if thenEnd { try? connection.shutdownWriting() }
            return try? HTTP.readResponse(from: connection).status
        }

        private static func expectAlive(_ weir: WeirProcess) throws {
            #expect(weir.process.isRunning)
            #expect(try weir.scrape().total("weir_build_info") == 1)
        }

        @Test(
            "what is not HTTP/1 gets a 4xx or 505, or is closed",
            arguments: [
                "\r\n\r\n\r\n\r\n", "hello there\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n",
                "GET /metrics HTTP/9.9\r\nHost: localhost\r\n\r\n",
                "GET  /metrics  HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "GET /metrics HTTP/1.1\r\nHost a\r\n\r\n", "GET /metrics HTTP/1.1\r\n: a\r\n\r\n",
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "GET /met\u{0}rics HTTP/1.1\r\nHost: localhost\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\r\n\r\n",
            ])
        func garbage(request: String) throws {
            let weir = try Self.start()
            let status = try Self.status(of: Array(request.utf8), to: weir, thenEnd: true)
            if let status { #expect((400..<500).contains(status) || status == 505, "\(status)") }
            try Self.expectAlive(weir)
        }

        @Test("random bytes never crash it")
        func randomBytes() throws {
            let weir = try Self.start()
            for seed in 1...200 {
                let bytes = Pattern.bytes(1 + seed * 37, seed: UInt64(seed))
                let status = try Self.status(of: bytes, to: weir, thenEnd: true)
                if let status { #expect((400..<600).contains(status), "seed \(seed): \(status)") }
            }
            try Self.expectAlive(weir)
        }

        @Test("a head without end gets 431")
        func endlessHead() throws {
            let weir = try Self.start()
            let header =
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + String(repeating: "X-Filler: yes\r\n", count: 2_000)
            #expect(try Self.status(of: Array(header.utf8), to: weir) == 431)
            let line = "GET /" + String(repeating: "a", count: 20_000)
            let status = try Self.status(of: Array(line.utf8), to: weir)
            #expect(status == 431 || status == 414)
            try Self.expectAlive(weir)
        }

        @Test("a head that does not come in time gets 408")
        func slowHead() throws {
            let weir = try Self.start()
            let connection = try TestConnection(to: Endpoint(weir.exporterPort))
            try connection.setTimeouts(seconds: 30)
            try connection.send("GET /metrics HT")
            #expect(try HTTP.readResponse(from: connection).status == 408)
            try Self.expectAlive(weir)
        }

        @Test(
            "methods, paths and versions get their right status",
            arguments: [
                ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab", 405),
                ("DELETE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
                ("GET /nothing/here HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
                ("GET /metrics HTTP/1.0\r\n\r\n", 200),
                ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
                ("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
                ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
                ("GET /metrics?name=x HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
            ])
        func statuses(request: String, expected: Int) throws {
            let weir = try Self.start()
            #expect(try Self.status(of: Array(request.utf8), to: weir) == expected)
        }

        @Test("HEAD has the headers of GET and no body, and the connection goes on")
        func head() throws {
            let weir = try Self.start()
            let connection = try TestConnection(to: Endpoint(weir.exporterPort))
            try connection.send(
                "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let head = try HTTP.readResponse(from: connection, hasBody: false)
            #expect(head.status == 200)
            #expect(head.headers["content-type"]?.contains("0.0.4") == true)
            #expect(try HTTP.readResponse(from: connection).status == 200)
        }

        @Test("GET with a body is answered or refused, and the body is never taken for a request")
        func bodyOnGet() throws {
            let weir = try Self.start()
            let body = "GET /nothing/here HTTP/1.1\r\nHost: localhost\r\n\r\n"
            let connection = try TestConnection(to: Endpoint(weir.exporterPort))
            try connection.send(
                "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
            try connection.shutdownWriting()
            let first = try HTTP.readResponse(from: connection)
            #expect(first.status == 200 || (400..<500).contains(first.status) && first.status != 404)
            #expect(connection.receive().bytes == [], "the body was read as a second request")
            try Self.expectAlive(weir)
        }

        @Test("pipelined requests are answered in order")
        func pipelining() throws {
            let weir = try Self.start()
            let connection = try TestConnection(to: Endpoint(weir.exporterPort))
            let paths = ["/metrics", "/nothing", "/healthz", "/metrics", "/readyz", "/nothing"]
            try connection.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: localhost\r\n\r\n" }.joined())
            for path in paths {
                let response = try HTTP.readResponse(from: connection)
                #expect(response.status == (path == "/nothing" ? 404 : 200))
                if path == "/metrics" { _ = try Samples(response.text) }
            }
        }

        @Test("200 connections at once: each is answered or closed, and scrapes go on")
        func manyConnections() throws {
            let weir = try Self.start()
            let before = weir.process.descriptorCount
            let connections = try (0..<200).map { _ in try TestConnection(to: Endpoint(weir.exporterPort)) }
            for _ in 0..<10 { _ = try weir.scrape() }
            var answered = 0
            for connection in connections {
                try? connection.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if (try? HTTP.readResponse(from: connection).status) == 200 { answered += 1 }
                connection.close()
            }
            #expect(answered >= 1)
            try waitUntil("its descriptors are back") { weir.process.descriptorCount <= before + 1 }
            try Self.expectAlive(weir)
        }
    }
}
