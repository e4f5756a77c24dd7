import Testing

@testable import WeirExporter

/// The outcome of `bytes` that arrive in these pieces: a plan, an error, or nothing yet.
func outcome(of bytes: [UInt8], splitAt splits: [Int] = []) -> Result<RequestPlan, RequestError>? {
    var scanner = HeadScanner()
    let limits = ExporterLimits()
    do throws(RequestError) {
        for end in splits + [bytes.count] {
            let arrived = Array(bytes[..<end])
            guard let length = try scanner.scan(arrived.span, limit: limits.headBytes) else { continue }
            let head = arrived.span.extracting(0..<length)
            return .success(RequestPlan(try RequestHead.parse(head), of: head, limits: limits))
        }
        return nil
    } catch {
        return .failure(error)
    }
}

/// The status of a refusal; 200 for what is answered, nil for what is incomplete.
func status(of text: String) -> Int? {
    switch outcome(of: Array(text.utf8)) {
    case nil: nil
    case .failure(let error)?: error.status.rawValue
    case .success(let plan)?: if case .refuse(let status) = plan.action { status.rawValue } else { 200 }
    }
}

@Suite struct RequestHeadTests {
    @Test(
        "A request line gets the right status",
        arguments: [
            ("GET /metrics HTTP/1.1", 200), ("HEAD /metrics HTTP/1.1", 200), ("GET / HTTP/1.0", 200),
            ("GET /metrics?name[]=x&y=%20 HTTP/1.1", 200), ("GET http://a:9/metrics HTTP/1.1", 200),
            ("GET HTTP://a HTTP/1.1", 200), ("GET http://a?x HTTP/1.1", 200), ("GET https://a/healthz HTTP/1.1", 200),
            ("GET /Metrics HTTP/1.1", 404), ("GET /metrics/ HTTP/1.1", 404), ("GET //metrics HTTP/1.1", 404),
            ("POST /metrics HTTP/1.1", 405), ("OPTIONS * HTTP/1.1", 405), ("CONNECT a:80 HTTP/1.1", 405),
            ("BREW /pot HTTP/1.1", 405), ("get /metrics HTTP/1.1", 405), ("G!#$%&'*+-.^_`|~ET / HTTP/1.1", 405),
            ("GET /metrics HTTP/2.0", 505), ("PRI * HTTP/2.0", 505), ("GET / HTTP/1.2", 505), ("GET / HTTP/0.9", 505),
            ("GET / HTTP/3.0", 505), ("GET /", 400), ("GET", 400), ("GET / ", 400), ("GET  / HTTP/1.1", 400),
            ("GET / HTTP/1.1 ", 400), ("GET / http/1.1", 400), ("GET / HTTP/11", 400), ("GET / HTTP/1.10", 400),
            ("GET / HTTP/1.x", 400), (" GET / HTTP/1.1", 400), ("GET metrics HTTP/1.1", 400), ("GET * HTTP/1.1", 400),
            ("GET http:///metrics HTTP/1.1", 400), ("GET /#top HTTP/1.1", 400), ("GET /\u{1} HTTP/1.1", 400),
            ("GET /é HTTP/1.1", 400), ("GET\t/ HTTP/1.1", 400), ("(GET) / HTTP/1.1", 400), ("GET / x HTTP/1.1", 400),
        ])
    func requestLine(line: String, expected: Int) {
        #expect(status(of: line + "\r\nHost: a\r\n\r\n") == expected)
    }

    @Test(
        "Header lines get the right status",
        arguments: [
            ("Host: a", 200), ("Host:a", 200), ("HOST: \t a \t ", 200), ("Host:", 200), ("Host: [::1]:9847", 200),
            ("Host: a\r\nX: ", 200), ("Host: a\r\nX: caf\u{e9}", 200), ("Host: a\r\nX: a\tb", 200),
            ("X: a", 400), ("Host: a\r\nHost: a", 400), ("Host: a b", 400), ("Host: a/b", 400), ("Host : a", 400),
            ("Host: a\r\n folded", 400), ("Host: a\r\n\tfolded", 400), (" Host: a", 400), ("Host", 400),
            ("Host: a\r\nno colon", 400), ("Host: a\r\n: empty", 400), ("Host: a\r\nX Y: b", 400),
            ("Host: a\r\nX: a\rb", 400), ("Host: a\r\nX: \u{0}", 400), ("Host: a\r\nX: \u{7f}", 400),
            ("Host: a\r\nX\u{1}: b", 400), ("Host: a\r\n\"X\": b", 400), ("Host: a\r\nX: a\r\r", 400),
        ])
    func headerLines(lines: String, expected: Int) {
        #expect(status(of: "GET /metrics HTTP/1.1\r\n" + lines + "\r\n\r\n") == expected)
    }

    @Test(
        "A body is thrown away, refused, or malformed",
        arguments: [
            ("Content-Length: 0", 200), ("Content-Length: 8192", 200), ("Content-Length: 8193", 413),
            ("Content-Length: 99999999999999999999999999", 413), ("Content-Length: 18446744073709551615", 413),
            ("Content-Length: -1", 400), ("Content-Length: +1", 400), ("Content-Length: 1 1", 400),
            ("Content-Length:", 400), ("Content-Length: 0x10", 400), ("Content-Length: 5, 5", 400),
            ("Content-Length: 5\r\nContent-Length: 5", 400), ("Content-Length: 5\r\nContent-Length: 6", 400),
            ("Transfer-Encoding: chunked", 501), ("Transfer-Encoding: identity", 501),
            ("Transfer-Encoding: chunked\r\nContent-Length: 3", 400),
            ("Content-Length: 3\r\nTransfer-Encoding: chunked", 400),
        ])
    func bodies(line: String, expected: Int) {
        #expect(status(of: request("GET", "/metrics", line)) == expected)
    }

    @Test("A connection goes on only where client and framing allow it")
    func persistence() throws {
        func keepsAlive(_ text: String) throws -> Bool {
            try #require(outcome(of: Array(text.utf8))).get().keepsAlive
        }
        #expect(try keepsAlive(request()))
        #expect(try keepsAlive(request("GET", "/", "Connection: close")) == false)
        #expect(try keepsAlive(request("GET", "/", "Connection: Upgrade, CLOSE")) == false)
        #expect(try keepsAlive(request("GET", "/", "Connection: closed")))
        #expect(try keepsAlive(request("GET", "/", "Connection: close, keep-alive")) == false)
        #expect(try keepsAlive("GET / HTTP/1.0\r\n\r\n") == false)
        #expect(try keepsAlive("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"))
        #expect(try keepsAlive(request("GET", "/", "Content-Length: 10")))
        #expect(try keepsAlive(request("GET", "/", "Content-Length: 10000")) == false)
        #expect(try keepsAlive(request("GET", "/", "Content-Length: 10", "Expect: 100-continue")) == false)
        #expect(try keepsAlive(request("POST", "/", "Transfer-Encoding: chunked")) == false)
        #expect(status(of: "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400)
    }

    @Test("A lone line feed ends a line, and two empty lines may come first")
    func lineEnds() {
        #expect(status(of: "GET /metrics HTTP/1.1\nHost: a\n\n") == 200)
        #expect(status(of: "\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n") == 200)
        #expect(status(of: "\r\n\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n") == 400)
        #expect(status(of: "GET /metrics HTTP/1.1\r\nHost: a\r\n") == nil)
    }

    @Test("A head of 8 KiB passes, one byte more does not, and the answer names what was too long")
    func limits() {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
        let filler = 8192 - start.utf8.count - 4
        #expect(status(of: start + String(repeating: "x", count: filler) + "\r\n\r\n") == 200)
        #expect(status(of: start + String(repeating: "x", count: filler + 1) + "\r\n\r\n") == 431)
        #expect(status(of: start + String(repeating: "x", count: 9000)) == 431)
        #expect(status(of: "GET /" + String(repeating: "x", count: 9000)) == 414)
        #expect(status(of: String(repeating: "A", count: 9000)) == 414)
        #expect(status(of: "GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 2000)) == 431)
    }

    @Test("What can never become a request is refused at its first wrong byte")
    func earlyRefusal() {
        #expect(outcome(of: [0x16, 0x03, 0x01]) == .failure(.malformed))
        #expect(outcome(of: [0]) == .failure(.malformed))
        #expect(outcome(of: Array("GET / HTTP/1.1\r\nHost: a\r\n f".utf8)) == .failure(.malformed))
    }
}
