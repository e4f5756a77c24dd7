#if TLS
import Foundation
import NetworkTypes
import TestSupport
import Testing
import WeirTLS

@Suite("Associations of DTLS with openssl(1)")
struct DTLSForeignPeerTests {
    /// The files that openssl(1) reads.
    private struct Files {
        let folder: TemporaryDirectory
        var certificate: String { folder.file("leaf.pem") }
        var key: String { folder.file("leaf.key") }
        var authority: String { folder.file("ca.pem") }

        init() throws {
            folder = try TemporaryDirectory("dtls")
            let pair = try TestAuthority.server.get()
            for (name, bytes) in [
                ("leaf.pem", pair.chain), ("leaf.key", pair.key),
                ("ca.pem", try TestAuthority.shared.get().certificate),
            ] { try folder.write(name, String(decoding: bytes, as: UTF8.self)) }
        }
    }

    @Test("A client shakes hands, sends a line, reads the answer, and is told the end")
    func client() throws {
        let files = try Files()
        let (server, _) = try DTLSRig.mutual(repetition: .milliseconds(250))
        let cookies = try #require(HelloCookies())
        let socket = try UDPSocket()
        let local = try socket.localEndpoint
        try files.folder.write("input", "ping\n")
        let client = try ChildProcess(
            "openssl",
            [
                "s_client", "-dtls1_2", "-connect", "127.0.0.1:\(local.port)", "-cert", files.certificate, "-key",
                files.key, "-CAfile", files.authority, "-verify_return_error", "-servername", "a.example.net",
                "-verify_hostname", "a.example.net", "-ign_eof", "-quiet",
            ], input: files.folder.file("input"))
        var end: DTLSEnd?
        var answered = false
        try waitUntil("the client has its answer and its end", deadline: .seconds(20)) {
            while socket.isReadable(within: 5) {
                let datagram = try socket.receive()
                func send(_ datagrams: [[UInt8]]) throws {
                    for bytes in datagrams { try socket.send(bytes, to: datagram.source) }
                }
                let path = AssociationPath(
                    peer: SocketAddress(.loopbackIPv4, port: datagram.source.port), local: .loopbackIPv4)
                switch cookies.judge(datagram.bytes.span, of: path, seconds: 1_000) {
                case .ask(let answer): try send([answer])
                case .proven where end == nil:
                    end = datagram.bytes.withUnsafeBytes { server.accept(hello: $0) }.map { DTLSEnd($0) }
                default: end?.give(datagram.bytes)
                }
                if let end {
                    try send(end.take())
                    if !answered, end.received.first == Array("ping\n".utf8) {
                        answered = true
                        try send([end.seal(Array("pong\n".utf8))].compactMap(\.self))
                        end.session.finish()
                        try send(end.take())
                    }
                }
            }
            end?.repeatIfDue()
            return client.exitIfEnded() != nil
        }
        #expect(client.output.contains("pong"), "\(client.output) \(client.errorOutput)")
        #expect(end?.session.peerName == "a.example.net")
    }

    @Test("A server shakes hands, sends a line, and tells the end")
    func server() throws {
        let files = try Files()
        let (_, client) = try DTLSRig.mutual(repetition: .milliseconds(250))
        let port = try Ports.free()
        try files.folder.write("input", "pong\n")
        let server = try ChildProcess(
            "openssl",
            [
                "s_server", "-dtls1_2", "-accept", "127.0.0.1:\(port)", "-cert", files.certificate, "-key", files.key,
                "-CAfile", files.authority, "-Verify", "1", "-verify_return_error", "-listen", "-quiet",
            ], input: files.folder.file("input"))
        try waitUntil("the server has its port") { server.holds(port: port, protocol: "udp") }
        let socket = try UDPSocket()
        let end = DTLSEnd(try #require(client.connect(to: "a.example.net")))
        func turn() throws {
            for bytes in end.take() { try socket.send(bytes, to: Endpoint(port)) }
            while socket.isReadable(within: 5) { end.give(try socket.receive().bytes) }
            end.repeatIfDue()
        }
        // Its input ends behind the line.
        try waitUntil("the server has sent its line and its end", deadline: .seconds(20)) {
            try turn()
            return end.state == .ended
        }
        #expect(end.received == [Array("pong\n".utf8)])
        #expect(end.session.peerName == "a.example.net")
    }
}
#endif
