import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirExporter

/// Listeners whose clients the program itself lets through: the paths that they may ask for, and who answers.
@Suite("Clients that the program lets through")
struct PathHandlerTests {
    private final class TestDocument: LiveDocument {
        func begin() {}

        func appendPiece(to output: inout [UInt8]) -> Bool {
            output += Array("[]".utf8)
            return true
        }

        func drop() {}
    }

    private static let pages = ["/metrics", "/healthz", "/readyz", "/", "/api/v1/status"]

    private func makeServer(
        at path: UnixSocketPath, hasPaths: Bool, limits: ExporterLimits = ExporterLimits()
    ) throws -> SteppedServer {
        try SteppedServer(
            limits: limits, access: ExporterAccess(tokens: [Array("secret".utf8)]),
            unixSockets: [UnixListener(path: path, mode: 0o600, clients: .verified(hasPaths: hasPaths))],
            document: TestDocument())
    }

    private func status(of text: String, at path: UnixSocketPath, _ stepped: SteppedServer) throws -> Int? {
        let client = try TestClient(unix: path.path)
        client.send(text)
        try stepped.turn { client.hasAnswer() }
        return try client.answer()?.status
    }

    @Test("Scrapers get metrics and health, and find nothing else")
    func scrapers() throws {
        let folder = try TemporaryDirectory("exporter")
        let path = try #require(UnixSocketPath(folder.file("s")))
        let stepped = try makeServer(at: path, hasPaths: false)
        stepped.server.askPath = { request, _ in Issue.record("\(request.path)") }
        for page in Self.pages + ["/other", "/-/healthy", "/-/ready"] {
            let wanted = ["/metrics", "/healthz", "/-/healthy"].contains(page) ? 200 : 404
            #expect(try status(of: request("GET", page), at: path, stepped) == wanted, "\(page)")
            #expect(try status(of: request("POST", page), at: path, stepped) == 405, "\(page)")
        }
        #expect(try status(of: request("GET", "/metrics?name[]=test"), at: path, stepped) == 200)
    }

    @Test("Others get every page without credentials, and the handler's paths")
    func clients() throws {
        let folder = try TemporaryDirectory("exporter")
        let path = try #require(UnixSocketPath(folder.file("s")))
        let stepped = try makeServer(at: path, hasPaths: true)
        stepped.server.askPath = { [unowned stepped] request, number in
            let answer = PathAnswer.page(contentType: "text/plain", body: request.path)
            stepped.server.deliver(request.path == "/known" ? answer : nil, to: number)
        }
        for page in Self.pages + ["/known"] {
            #expect(try status(of: request("GET", page), at: path, stepped) == 200, "\(page)")
        }
        #expect(try status(of: request("GET", "/other"), at: path, stepped) == 404)
    }

    @Test("Requests that clients have left behind count until they are answered, and further ones are refused")
    func bound() throws {
        let folder = try TemporaryDirectory("exporter")
        let path = try #require(UnixSocketPath(folder.file("s")))
        var limits = ExporterLimits()
        limits.connections = 4
        let stepped = try makeServer(at: path, hasPaths: true, limits: limits)
        var asked: [UInt64] = []
        stepped.server.askPath = { _, number in asked.append(number) }
        for count in 1...4 {
            do {
                let client = try TestClient(unix: path.path)
                client.send(request("GET", "/slow"))
                try stepped.turn { asked.count == count }
            }
            try stepped.turn { stepped.server.connections.isEmpty }
        }
        #expect(try status(of: request("GET", "/slow"), at: path, stepped) == 503)
        #expect(asked.count == 4)
        stepped.server.deliver(nil, to: asked[0])
        let client = try TestClient(unix: path.path)
        client.send(request("GET", "/slow"))
        try stepped.turn { asked.count == 5 }
        stepped.server.deliver(.page(contentType: "text/plain", body: "done"), to: asked[4])
        try stepped.turn { client.hasAnswer() }
        #expect(try client.answer()?.text == "done")
    }
}
