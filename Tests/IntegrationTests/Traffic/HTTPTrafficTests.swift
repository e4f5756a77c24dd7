import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("HTTP: curl and wrk against nginx")
    struct HTTPTrafficTests {
        private static let sizes = [0, 1, 1_024, 16_384, 1_048_576, 100_000_000]

        @Test("curl gets every file whole, and the bytes counted are those that nginx counted")
        func curlDownloads() throws {
            let nginx = try Nginx(sizes: Self.sizes)
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("web", port, to: nginx.port))
            let folder = try TemporaryDirectory("downloads")
            // One connection for all files, then one of its own for each.
            let urls = Self.sizes.flatMap { ["-o", folder.file("\($0)"), "http://127.0.0.1:\(port)/\($0)"] }
            let together = try ChildProcess.run("curl", ["-sSf"] + urls)
            #expect(together.succeeded, "\(together)")
            for size in Self.sizes {
                let data = try #require(FileManager.default.contents(atPath: folder.file("\(size)")))
                expectBytes(data, Pattern.bytes(size), "the file of \(size) bytes:")
                let alone = try ChildProcess.run(
                    "curl", ["-sSf", "-o", "/dev/null", "http://127.0.0.1:\(port)/\(size)"])
                #expect(alone.succeeded, "\(alone)")
            }
            let logged = try nginx.requests(count: 2 * Self.sizes.count)
            let samples = try weir.scrapeWhenIdle("web")
            #expect(logged.count == 2 * Self.sizes.count)
            #expect(samples.bytes("web", "ingress") == logged.reduce(0) { $0 + $1.bytesIn })
            #expect(samples.bytes("web", "egress") == logged.reduce(0) { $0 + $1.bytesOut })
            #expect(samples.accepted("web") == 1 + Self.sizes.count)
            #expect(samples.closed("web", "client_eof") == 1 + Self.sizes.count)
            #expect(samples.total("weir_dials_total", ["route": "web"]) == 1 + Self.sizes.count)
            #expect(try weir.stop() == .code(0))
        }

        @Test("curl uploads through a route, and every byte of the body is counted as ingress")
        func curlUpload() throws {
            // nginx does not store uploads here, so a server counts the request up to its end.
            let server = try TCPServer { connection in
                let blankLine = Array("\r\n\r\n".utf8)
                var head: [UInt8] = []
                while !head.suffix(4).elementsEqual(blankLine) { head += connection.receive(1).bytes }
                let body = connection.receive(5_000_000)
                let intact = body.bytes == Pattern.bytes(5_000_000)
                let text = "\(head.count + body.bytes.count) \(intact)"
                try connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n\(text)")
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("up", port, to: server.port))
            let folder = try TemporaryDirectory("upload")
            let file = try folder.write("body", Pattern.bytes(5_000_000))
            let run = try ChildProcess.run(
                "curl", ["-sSf", "-H", "Expect:", "--data-binary", "@\(file)", "http://127.0.0.1:\(port)/"])
            #expect(run.succeeded, "\(run)")
            let answer = run.output.split(separator: " ")
            #expect(answer.last == "true")
            let samples = try weir.scrapeWhenIdle("up")
            #expect(samples.bytes("up", "ingress") == answer.first.flatMap { Int($0) })
        }

        @Test("wrk with 64 connections gets no error, and what is counted is what nginx logged")
        func wrkLoad() throws {
            let nginx = try Nginx(sizes: [1_024])
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("web", port, to: nginx.port))
            let run = try ChildProcess.run(
                "wrk", ["-t1", "-c64", "-d3s", "http://127.0.0.1:\(port)/1024"], deadline: .seconds(30))
            #expect(run.succeeded, "\(run)")
            #expect(!run.output.contains("Socket errors"), "\(run)")
            #expect(!run.output.contains("Non-2xx"), "\(run)")
            let line = try #require(run.output.split(separator: "\n").first { $0.contains(" requests in ") })
            let completed = try #require(line.split(separator: " ").first.flatMap { Int($0) })
            #expect(completed > 100)
            let samples = try weir.scrapeWhenIdle("web")
            let logged = try nginx.requests(count: completed)
            let requestBytes = try #require(logged.first).bytesIn
            let responseBytes = try #require(logged.first).bytesOut
            // wrk goes away in the middle of up to one request per connection; every other byte is certain.
            let ingress = samples.bytes("web", "ingress")
            #expect(ingress >= completed * requestBytes)
            #expect(ingress <= (completed + 64) * requestBytes)
            let egress = samples.bytes("web", "egress")
            #expect(egress >= completed * responseBytes)
            #expect(egress <= (completed + 64) * responseBytes)
            #expect(samples.accepted("web") >= 64)
            #expect(samples.closed("web") == samples.accepted("web"))
        }
    }
}
