#if TLS
import Foundation
import NetworkTypes
import TestSupport
import WeirTLS

/// One end of an association, with what it has received.
final class DTLSEnd {
    let session: DTLSSession
    private(set) var received: [[UInt8]] = []
    private var buffer = [UInt8](repeating: 0, count: DTLSSession.maxDataLength)

    init(_ session: DTLSSession) { self.session = session }

    var state: DTLSState { session.state }

    @discardableResult
    func give(_ datagram: [UInt8]) -> DTLSState {
        datagram.withUnsafeBytes { datagram in
            buffer.withUnsafeMutableBytes { buffer in
                session.receive(datagram, into: buffer) { received.append(Array($0)) }
            }
        }
    }

    /// Takes all datagrams of the output.
    func take() -> [[UInt8]] {
        var datagrams: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = buffer.withUnsafeMutableBytes({ session.takeDatagram(into: $0) }), count > 0 {
            datagrams.append(Array(buffer[..<count]))
        }
        return datagrams
    }

    /// Encrypts data; nil where it cannot be sent.
    func seal(_ data: [UInt8]) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: data.count + DTLSSession.overhead)
        let result = data.withUnsafeBytes { data in
            buffer.withUnsafeMutableBytes { session.send(data, into: $0) }
        }
        guard case .datagram(let count) = result else { return nil }
        return Array(buffer[..<count])
    }

    func repeatIfDue() {
        if session.repetitionDelay == .zero { session.repeatFlight() }
    }
}

/// A link that loses, doubles and reorders datagrams, as its seed says.
struct SeededLink {
    private var generator: SeededGenerator
    private var held: [UInt8]?
    private let percent: Int

    /// A link that changes so many of a hundred datagrams in each way; 0 is a perfect one.
    init(seed: UInt64 = 0, percent: Int = 0) {
        generator = SeededGenerator(seed: seed)
        self.percent = percent
    }

    private mutating func happens() -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

    /// The datagrams that arrive for one that was sent.
    mutating func carry(_ datagram: [UInt8]) -> [[UInt8]] {
        if happens() { return [] }
        if held == nil, happens() {
            held = datagram
            return []
        }
        var arrived = happens() ? [datagram, datagram] : [datagram]
        if let late = held { arrived.append(late) }
        held = nil
        return arrived
    }
}

/// A client, a link, and a server that asks for cookies before it makes an association.
final class DTLSRig {
    static let path = AssociationPath(
        peer: SocketAddress(IPAddress(v4: 0xC000_0201), port: 4_000), local: IPAddress(v4: 0xC633_6402))

    let client: DTLSEnd
    private(set) var server: DTLSEnd?
    let cookies: HelloCookies
    private let serverSide: DTLSServer
    var toServer = SeededLink()
    var toClient = SeededLink()
    /// Sees each datagram on its way to the server, or to the client, and may change what arrives.
    var tamper: (_ datagram: [UInt8], _ isToServer: Bool) -> [[UInt8]] = { datagram, _ in [datagram] }
    private(set) var datagramSizes: [Int] = []

    init(_ server: DTLSServer, _ client: DTLSClient, name: String = "a.example.net") throws {
        serverSide = server
        guard let cookies = HelloCookies(), let session = client.connect(to: name) else {
            throw WrongAnswer("no cookies, or no session")
        }
        self.cookies = cookies
        self.client = DTLSEnd(session)
    }

    /// A server and a client with certificates of the tests' authority.
    static func mutual(
        serverProtocols: [String] = [], clientProtocols: [String] = [], repetition: Duration = .milliseconds(20)
    ) throws -> (DTLSServer, DTLSClient) {
        let set = try CertificateSet([TestAuthority.server.get()])
        return (
            try server(set, protocols: serverProtocols, repetition: repetition),
            try client(set, protocols: clientProtocols, repetition: repetition)
        )
    }

    static func server(
        _ set: CertificateSet, protocols: [String] = [], pins: [[UInt8]] = [],
        repetition: Duration = .milliseconds(20)
    ) throws -> DTLSServer {
        var settings = TLSServerSettings()
        settings.clientAuthorities = try TestAuthority.shared.get().certificate
        settings.protocols = protocols
        settings.clientPins = pins
        guard let server = DTLSServer(settings, certificates: set, repetition: repetition) else {
            throw WrongAnswer("no server")
        }
        return server
    }

    static func client(
        _ set: CertificateSet?, protocols: [String] = [], repetition: Duration = .milliseconds(20)
    ) throws -> DTLSClient {
        var settings = TLSClientSettings()
        settings.authorities = try TestAuthority.shared.get().certificate
        settings.protocols = protocols
        guard let client = DTLSClient(settings, own: set, repetition: repetition) else {
            throw WrongAnswer("no client")
        }
        return client
    }

    /// Gives a datagram to the server's side.
    func arrive(_ datagram: [UInt8]) {
        switch cookies.judge(datagram.span, of: Self.path, seconds: 1_000) {
        case .ask(let answer): sendToClient(answer)
        case .proven:
            if let server {
                server.give(datagram)
            } else {
                server = datagram.withUnsafeBytes { serverSide.accept(hello: $0) }.map { DTLSEnd($0) }
            }
        case .malformed: break
        case .other: server?.give(datagram)
        }
    }

    private func sendToClient(_ datagram: [UInt8]) {
        datagramSizes.append(datagram.count)
        for arrived in toClient.carry(datagram) {
            for changed in tamper(arrived, false) { client.give(changed) }
        }
    }

    private func sendToServer(_ datagram: [UInt8]) {
        datagramSizes.append(datagram.count)
        for arrived in toServer.carry(datagram) {
            for changed in tamper(arrived, true) { arrive(changed) }
        }
    }

    /// Carries what there is, and repeats what is due.
    func turn() {
        for datagram in client.take() { sendToServer(datagram) }
        for datagram in server?.take() ?? [] { sendToClient(datagram) }
        client.repeatIfDue()
        server?.repeatIfDue()
    }

    /// Sends data over the link.
    func sendToServer(data: [UInt8]) { client.seal(data).map { sendToServer($0) } }
    func sendToClient(data: [UInt8]) { server?.seal(data).map { sendToClient($0) } }

    func run(until what: String, _ condition: (DTLSRig) -> Bool) throws {
        try waitUntil(what, deadline: .seconds(20)) {
            for _ in 0..<10 where !condition(self) { turn() }
            return condition(self)
        }
    }

    func shake() throws {
        try run(until: "both have shaken hands") { $0.client.state == .open && $0.server?.state == .open }
        // On a slow machine a flight may have been repeated, and answered: that is none of what follows.
        _ = (client.take(), server?.take())
    }

    /// Whether the association still carries data both ways.
    func carries() -> Bool {
        let (up, down) = (client.received.count, server?.received.count ?? 0)
        sendToServer(data: [1, 2, 3])
        sendToClient(data: [4, 5])
        return server?.received.last == [1, 2, 3] && client.received.last == [4, 5]
            && client.received.count == up + 1 && server?.received.count == down + 1
    }
}
#endif
