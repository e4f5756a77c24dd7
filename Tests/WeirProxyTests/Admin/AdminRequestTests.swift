import NetworkTypes
import Testing

@testable import WeirProxy

struct AdminRequestTests {
    private func read(_ text: String) throws(AdminRequest.Problem) -> AdminRequest {
        try AdminRequest(Array(text.utf8))
    }

    @Test("A request has a method, a path and parameters, whatever its fields are")
    func requests() throws {
        let request = try read("POST /v1/kill?route=a%20b&client=10.0.0.0%2F8&x HTTP/1.1\r\nHost: weir\r\nA: b\r\n\r\n")
        #expect(
            request
                == AdminRequest(
                    method: .post, path: "/v1/kill", parameters: ["route": "a b", "client": "10.0.0.0/8", "x": ""]))
        #expect(try read("GET /v1/status HTTP/1.0\n\n") == AdminRequest(method: .get, path: "/v1/status"))
    }

    @Test("What a client writes is what is read")
    func roundTrip() throws {
        let request = AdminRequest(
            method: .get, path: "/v1/connections", parameters: ["route": "ä &=?%+\n", "older": "5"])
        #expect(try read("GET \(request.target) HTTP/1.1\r\n\r\n") == request)
    }

    @Test(
        "What is no request says so",
        arguments: [
            ("", .incomplete), ("GET / HTTP/1.1\r\nHost: a\r\n", .incomplete), ("PUT / HTTP/1.1\r\n\r\n", .method),
            ("GET  / HTTP/1.1\r\n\r\n", .malformed), ("GET / HTTP/2\r\n\r\n", .malformed),
            ("GET a HTTP/1.1\r\n\r\n", .malformed),
            ("GET /?a=%4 HTTP/1.1\r\n\r\n", .malformed), ("GET /?a=%zz HTTP/1.1\r\n\r\n", .malformed),
            ("\u{16}\u{3}\u{1}\r\n\r\n", .malformed), (String(repeating: "a", count: 9000), .tooLong),
            ("GET /?\((0..<17).map { "p\($0)=1" }.joined(separator: "&")) HTTP/1.1\r\n\r\n", .malformed),
        ] as [(String, AdminRequest.Problem)])
    func problems(text: String, expected: AdminRequest.Problem) {
        #expect(throws: expected) { try read(text) }
    }

    @Test("Damaged requests never trap")
    func damaged() {
        var generator = SystemRandomNumberGenerator()
        let good = Array("POST /v1/kill?route=a%20b&client=10.0.0.0%2F8 HTTP/1.1\r\nHost: weir\r\n\r\n".utf8)
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            _ = try? AdminRequest(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator))))
        }
    }

    @Test("A query names what it is for, and says what is wrong with it")
    func queries() throws {
        let query = try StreamQuery([
            "id": "1000000000001", "client": "10.0.0.7", "older": "60", "sort": "age", "limit": "5",
        ])
        #expect(query.id == 0x1000_0000_00001 && query.age == .seconds(60) && query.order == .age && query.limit == 5)
        #expect(query.isNarrow)
        #expect(try !StreamQuery(["older": "60"]).isNarrow)
        for wrong in [
            ["id": "x"], ["client": "10.0.0.300"], ["older": "-1"], ["sort": "name"], ["limit": "0"], ["rout": "a"],
        ] {
            #expect(throws: StreamQuery.Problem.self) { try StreamQuery(wrong) }
        }
    }

    @Test("What is for a list alone is refused for all other requests", arguments: ["sort", "limit", "format"])
    func listQueries(name: String) throws {
        let value = ["sort": "age", "limit": "5"][name] ?? "lines"
        _ = try StreamQuery(["route": "a", name: value])
        #expect(throws: StreamQuery.Problem(text: "`\(name)` is for lists: all that fits is ended")) {
            try StreamQuery(["route": "a", name: value], isList: false)
        }
        #expect(try StreamQuery(["route": "a", "older": "5"], isList: false).isNarrow)
    }
}
