/// The answer to a request at the admin socket.
struct AdminAnswer: Sendable, Equatable {
    /// The codes, all of which are counted.
    enum Code: Int, CaseIterable, Sendable {
        case ok = 200
        case badRequest = 400
        case notFound = 404
        case methodNotAllowed = 405
        case conflict = 409
        case headersTooLarge = 431
        case unavailable = 503
    }

    var code: Code
    var body: [UInt8]

    init(_ code: Code, _ body: [UInt8]) {
        self.code = code
        self.body = body
    }

    /// A problem, as `{"error":"…"}`.
    init(_ code: Code, error: String) {
        var json = JSONOutput()
        json.object { $0.add("error", error) }
        self.init(code, json.bytes + [UInt8(ascii: "\n")])
    }
}
