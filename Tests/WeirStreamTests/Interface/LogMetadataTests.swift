import NetworkTypes
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct LogMetadataTests {
    @Test func `a stream names itself in a log, with the real port once it is bound`() async throws {
        let engine = try StreamEngine(StreamEngine.Options(workers: 1))
        let stream = try TCPStream(
            listen: "tcp4://127.0.0.1:0", upstream: "localhost:22", engine: engine)
        #expect(
            stream.logMetadata == [
                "protocol": "tcp", "route": "tcp4://127.0.0.1:0", "listen": "tcp4://127.0.0.1:0",
                "dst": "localhost:22",
            ])
        try stream.bind()
        #expect(stream.localAddress.port != 0)
        #expect(stream.logMetadata["listen"] == "tcp4://\(stream.localAddress)")
        await stream.close()
        await engine.shutdown()
    }

    @Test func `an update shows in it, with all upstreams`() async throws {
        let engine = try StreamEngine(StreamEngine.Options(workers: 1))
        let stream: any WeirStream.Stream
        let udp = try UDPStream(
            name: "dns", listen: ListenAddress("udp://127.0.0.1:0"), upstreams: [Upstream("192.0.2.1:53")],
            settings: UDPSettings(), engine: engine)
        stream = udp
        #expect(stream.logMetadata["route"] == "dns" && stream.logMetadata["protocol"] == "udp")
        try await stream.listenAndServe()
        try await udp.update(
            name: "names", upstreams: [Upstream("192.0.2.1:53"), Upstream("192.0.2.2:5353")], settings: UDPSettings(),
            hooks: StreamHooks())
        #expect(stream.logMetadata["route"] == "names")
        #expect(stream.logMetadata["dst"] == "192.0.2.1:53,192.0.2.2:5353")
        await stream.kill()
        await engine.shutdown()
    }
}
