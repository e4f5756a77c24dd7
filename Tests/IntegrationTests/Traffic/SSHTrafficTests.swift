import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("scp against sshd")
    struct SSHTrafficTests {
        @Test("100 MB go up and come back with equal checksums, and every byte on the wire is counted")
        func copyBothWays() throws {
            let server = try SSHServer()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("ssh", port, to: server.port))
            let relay = try CountingRelay(to: Endpoint(port))
            let folder = try TemporaryDirectory("scp")
            let original = try folder.write("original", Pattern.bytes(100_000_000))
            let remote = "\(server.userName)@127.0.0.1:\(server.files.file("copy"))"
            let options = server.clientOptions + ["-s", "-P", "\(relay.port)"]

            let upload = try ChildProcess.run("scp", options + [original, remote], deadline: .seconds(120))
            #expect(upload.succeeded, "\(upload)")
            let download = try ChildProcess.run(
                "scp", options + [remote, folder.file("back")], deadline: .seconds(120))
            #expect(download.succeeded, "\(download)")

            let sums = try ChildProcess.run(
                "sha256sum", [original, server.files.file("copy"), folder.file("back")])
            let distinct = Set(sums.output.split(separator: "\n").compactMap { $0.split(separator: " ").first })
            #expect(sums.succeeded, "\(sums)")
            #expect(distinct.count == 1, "\(sums)")

            try relay.waitUntilIdle()
            let samples = try weir.scrapeWhenIdle("ssh")
            #expect(samples.bytes("ssh", "ingress") == relay.bytesSent)
            #expect(samples.bytes("ssh", "egress") == relay.bytesReceived)
            #expect(relay.bytesSent > 100_000_000)
            #expect(relay.bytesReceived > 100_000_000)
            #expect(samples.accepted("ssh") == 2)
            #expect(samples.closed("ssh") == 2)
        }
    }
}
