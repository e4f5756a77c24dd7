import Testing

@testable import WeirExporter

/// The document at `/api/v1/status` and the page at `/`, with documents that count themselves.
@Suite struct LiveDocumentTests {
    private final class TestDocument: LiveDocument {
        private(set) var beginnings = 0
        private(set) var dropped = 0
        private var pieces = 0

        func begin() {
            beginnings += 1
            pieces = 0
        }

        func appendPiece(to output: inout [UInt8]) -> Bool {
            pieces += 1
            output += Array("\(pieces == 1 ? "[\(beginnings)" : ",\(pieces)")".utf8)
            if pieces == 4 { output.append(UInt8(ascii: "]")) }
            return pieces == 4
        }

        func drop() { dropped += 1 }
    }

    private static let path = request("GET", "/api/v1/status")

    @Test("The document comes whole, as JSON, with gzip where that is wanted, and no other origin may read it")
    func document() throws {
        let stepped = try SteppedServer(document: TestDocument())
        let plain = try #require(try stepped.answer(to: Self.path))
        #expect(plain.status == 200 && plain.text == "[1,2,3,4]")
        #expect(plain.headers["content-type"] == "application/json")
        #expect(plain.headers["cross-origin-resource-policy"] == "same-origin")
        #expect(plain.headers["x-content-type-options"] == "nosniff" && plain.headers["cache-control"] == "no-store")
        #expect(plain.headers["access-control-allow-origin"] == nil)
        try stepped.pass(seconds: 1)
        let text = request("GET", "/api/v1/status", "Accept-Encoding: gzip", "Origin: http://evil.example")
        let packed = try #require(try stepped.answer(to: text))
        #expect(packed.headers["content-encoding"] == "gzip" && gunzip(packed.body) == Array("[2,2,3,4]".utf8))
        #expect(packed.headers["access-control-allow-origin"] == nil)
    }

    @Test("However many ask, five documents a second are made, and shared; only few clients wait for the next one")
    func sharing() throws {
        let document = TestDocument()
        let stepped = try SteppedServer(document: document)
        _ = try stepped.answer(to: Self.path)
        let clients = try (0..<8).map { try stepped.client(source: 0x7f00_0002 + UInt32($0 % 4), sending: Self.path) }
        #expect(document.beginnings == 1 && !clients.contains { $0.hasAnswer() })
        // A page is not held up meanwhile.
        #expect(try stepped.answer(to: request())?.status == 200)
        let crowd = try (0..<30).map { try stepped.client(source: 0x7f00_0006 + UInt32($0 % 4), sending: Self.path) }
        try stepped.turn { crowd.allSatisfy { $0.hasAnswer() } }
        for client in crowd { #expect(try client.answer()?.text == "[1,2,3,4]") }
        // Of that coding there is none yet.
        let other = try stepped.client(
            source: 0x7f00_000a, sending: request("GET", "/api/v1/status", "Accept-Encoding: gzip"))
        #expect(document.beginnings == 1 && !clients.contains { $0.hasAnswer() })
        try stepped.pass(seconds: 0.21)
        try stepped.turn { clients.allSatisfy { $0.hasAnswer() } }
        #expect(document.beginnings == 2)
        for client in clients { #expect(try client.answer()?.text == "[2,2,3,4]") }
        #expect(gunzip(try #require(try other.answer()).body) == Array("[2,2,3,4]".utf8))
    }

    @Test("The last document gives way where there is room for one rendering only")
    func littleRoom() throws {
        var limits = ExporterLimits()
        limits.pagesInFlight = 2
        let stepped = try SteppedServer(limits: limits, document: TestDocument())
        for number in 1...3 {
            #expect(try stepped.answer(to: Self.path)?.text == "[\(number),2,3,4]")
            #expect(try stepped.answer(to: request())?.status == 200)
            try stepped.pass(seconds: 1)
        }
    }

    @Test("Where no client waits any more the document is dropped")
    func dropped() throws {
        let document = TestDocument()
        let stepped = try SteppedServer(document: document)
        let client = try TestClient(port: stepped.port)
        client.send(Self.path)
        try stepped.turn { stepped.server.rendering != nil }
        for connection in stepped.server.connections { connection.reset() }
        try stepped.turn { stepped.server.rendering == nil }
        #expect(document.dropped == 1)
        try stepped.pass(seconds: 1)
        #expect(try stepped.answer(to: Self.path)?.text == "[2,2,3,4]")
    }

    @Test("Without a document there is none, and other methods are refused")
    func absent() throws {
        #expect(try SteppedServer().answer(to: Self.path)?.status == 404)
        let stepped = try SteppedServer(document: TestDocument())
        #expect(try stepped.answer(to: request("POST", "/api/v1/status", "Content-Length: 0"))?.status == 405)
        #expect(try stepped.answer(to: request("GET", "/api/v1/statu"))?.status == 404)
    }

    @Test("Document and page need the credentials of the metrics, and the host of a foreign name gets nothing")
    func access() throws {
        var access = ExporterAccess()
        access.tokens = [Array("0123456789abcdef".utf8)]
        let stepped = try SteppedServer(access: access, document: TestDocument())
        for path in ["/", "/api/v1/status"] {
            #expect(try stepped.answer(to: request("GET", path))?.status == 401)
            #expect(
                try stepped.answer(to: request("GET", path, "Authorization: Bearer 0123456789abcdef"))?.status == 200)
            try stepped.pass(seconds: 1)
            let forged = "GET \(path) HTTP/1.1\r\nHost: rebound.example\r\n\r\n"
            #expect(try stepped.answer(to: forged)?.status == 421)
        }
    }

    @Test("A page of one's own has its policy, is compressed, and cannot be framed")
    func startPage() throws {
        let html = "<!DOCTYPE html>" + String(repeating: "<p>weir</p>", count: 1000)
        let page = StartPage(html: Array(html.utf8), policy: "default-src 'none'")
        let stepped = try SteppedServer(startPage: page)
        let plain = try #require(try stepped.answer(to: request("GET", "/")))
        #expect(plain.text == html && plain.headers["content-security-policy"] == "default-src 'none'")
        #expect(plain.headers["x-frame-options"] == "DENY" && plain.headers["referrer-policy"] == "no-referrer")
        for _ in 0..<2 {
            let packed = try #require(try stepped.answer(to: request("GET", "/", "Accept-Encoding: gzip")))
            #expect(packed.headers["content-encoding"] == "gzip" && packed.body.count < 500)
            #expect(gunzip(packed.body) == plain.body)
        }
    }
}
