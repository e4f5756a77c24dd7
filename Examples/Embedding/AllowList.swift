import Loopback
import WeirStream

/// The addresses that may connect. A real program would ask a database or another service: awaiting it holds up only
/// this client.
actor AllowList {
    private let allowed: Set<IPAddress>
    private(set) var lookUps = 0

    init(_ texts: [String]) {
        allowed = Set(texts.compactMap { IPAddress($0) })
    }

    func contains(_ address: IPAddress) async -> Bool {
        lookUps += 1
        await Task.yield()
        return allowed.contains(address)
    }
}

extension Embedding {
    /// Looks each client up before its upstream is dialed. `preDial` runs on no worker, so it may wait.
    static func lookUpClients() async throws {
        let server = try EchoServer()
        server.serve()
        let list = AllowList(["127.0.0.1", "2001:db8::7"])
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "127.0.0.1:\(server.port)")
        try await stream.listenAndServe(preDial: { request in
            await list.contains(request.clientAddress.ip) ? .dial : .reject(.acl)
        })
        let port = stream.localAddress.port
        let known: String = try Client.exchange("known", port: port)
        let stranger: String = try Client.exchange("stranger", port: port, from: 0x7f00_0002)
        await stream.close()
        await stream.waitUntilClosed()
        print("allow-list: \(await list.lookUps) look-ups, answers: \"\(known)\", \"\(stranger)\"")
    }
}
