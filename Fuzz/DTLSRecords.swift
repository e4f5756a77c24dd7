// Modules: NetworkTypes Threading LinuxIO CTLS WeirTLS

import Glibc
import NetworkTypes
import WeirTLS

/// Associations of DTLS whose datagrams change on their way.
///
/// The first byte of an input chooses. Either all others are a datagram for the first reader of hellos, and for ends
/// that have no real peer; or they are orders for the one in the middle of a server and a client of ours: what to do
/// with each datagram that comes by, before the handshake is over or behind it.
///
/// Nothing may trap, or leak. A hello is answered with less than it has. Data is what was sent, and each record of it
/// comes once at most. An association that is open stays so, whatever comes that is not authenticated.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var orders = Orders(Array(UnsafeBufferPointer(start: data, count: count)))
    switch orders.next() & 3 {
    case 0: runAlone(orders.rest)
    case 1: runBetween(&orders, isOpen: true)
    default: runBetween(&orders, isOpen: false)
    }
    return 0
}

/// A certificate that is its own authority, and its key, made by openssl(1) for this run.
nonisolated(unsafe) private let pair: [UInt8] = {
    let command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=fuzz "
        + "-addext subjectAltName=DNS:a.example.net -keyout /dev/stdout 2>/dev/null"
    guard let pipe = popen(command, "r") else { preconditionFailure("openssl does not run") }
    var bytes: [UInt8] = []
    while case let byte = fgetc(pipe), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
    precondition(pclose(pipe) == 0 && bytes.count > 500, "openssl has made no certificate")
    return bytes
}()

/// No flight is repeated: an input is over long before.
nonisolated(unsafe) private let peers: (server: DTLSServer, client: DTLSClient) = {
    var serverSettings = TLSServerSettings()
    serverSettings.clientAuthorities = pair
    serverSettings.protocols = ["weir-agent/1"]
    var clientSettings = TLSClientSettings()
    clientSettings.authorities = pair
    clientSettings.protocols = ["weir-agent/1"]
    guard let set = try? CertificateSet([CertificateBytes(chain: pair, key: pair)]),
        let server = DTLSServer(serverSettings, certificates: set, repetition: .seconds(900)),
        let client = DTLSClient(clientSettings, own: set, repetition: .seconds(900))
    else { preconditionFailure("OpenSSL refuses the settings") }
    return (server, client)
}()

nonisolated(unsafe) private let cookies: HelloCookies = {
    guard let cookies = HelloCookies() else { preconditionFailure("no random bytes") }
    return cookies
}()

private let path = AssociationPath(
    peer: SocketAddress(IPAddress(v4: 0xC000_0201), port: 4_000), local: IPAddress(v4: 0xC633_6402))

/// The bytes of an input, one after the other; zeros behind its end.
private struct Orders {
    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var rest: [UInt8] { Array(bytes.dropFirst(index)) }

    mutating func next() -> UInt8 {
        guard index < bytes.count else { return 0 }
        index += 1
        return bytes[index - 1]
    }

    mutating func next(_ count: Int) -> [UInt8] { (0..<count).map { _ in next() } }
}

/// For the reads of all: to make one for each takes longer than a handshake under the address sanitizer.
nonisolated(unsafe) private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 40_000, alignment: 16)

private final class End {
    let session: DTLSSession
    var received: [[UInt8]] = []
    private var last = DTLSState.handshaking

    init(_ session: DTLSSession) { self.session = session }

    func give(_ datagram: [UInt8]) {
        let state = datagram.withUnsafeBytes { session.receive($0, into: buffer) { received.append(Array($0)) } }
        switch (last, state) {
        case (.ended, .ended), (.failed, .failed), (.open, .open), (.open, .ended), (.open, .failed),
            (.handshaking, _):
            break
        default: preconditionFailure("from \(last) to \(state)")
        }
        last = state
        _ = (session.failure, session.alert, session.repetitionDelay)
        session.repeatFlight()
    }

    func take() -> [[UInt8]] {
        var found: [[UInt8]] = []
        while case let count = session.takeDatagram(into: buffer), count > 0 {
            precondition(count <= 1_232, "a datagram of \(count) bytes")
            found.append(Array(buffer[..<count]))
        }
        return found
    }

    func seal(_ data: [UInt8]) -> [UInt8] {
        let result = data.withUnsafeBytes { session.send($0, into: buffer) }
        guard case .datagram(let count) = result else { return [] }
        precondition(count == data.count + DTLSSession.overhead)
        return Array(buffer[..<count])
    }
}

/// Gives a datagram to the first reader, and to ends without a peer.
private func runAlone(_ datagram: [UInt8]) {
    switch cookies.judge(datagram.span, of: path, seconds: 100) {
    case .ask(let answer): precondition(answer.count < datagram.count, "an answer that amplifies")
    case .proven: preconditionFailure("a cookie out of nothing")
    case .malformed, .other: break
    }
    if let client = peers.client.connect(to: "a.example.net").map({ End($0) }) {
        client.give(datagram)
        client.give(datagram)
        _ = client.take()
        precondition(client.received.isEmpty && client.session.state != .open, "data out of nothing")
    }
    // The caller looks at cookies, not this.
    if let server = datagram.withUnsafeBytes({ peers.server.accept(hello: $0) }).map({ End($0) }) {
        server.give(datagram)
        _ = server.take()
        precondition(server.received.isEmpty && server.session.state != .open, "data out of nothing")
    }
}

/// A server and a client, and what is between them.
private final class Middle {
    let client: End
    var server: End?
    private var held: [UInt8] = []

    init?() {
        guard let session = peers.client.connect(to: "a.example.net") else { return nil }
        client = End(session)
    }

    func arrive(_ datagram: [UInt8], isToServer: Bool) {
        guard isToServer else { return client.give(datagram) }
        switch cookies.judge(datagram.span, of: path, seconds: 100) {
        case .ask(let answer):
            precondition(answer.count < datagram.count, "an answer that amplifies")
            client.give(answer)
        case .proven:
            if let server { return server.give(datagram) }
            server = datagram.withUnsafeBytes { peers.server.accept(hello: $0) }.map { End($0) }
        case .malformed: break
        case .other: server?.give(datagram)
        }
    }

    /// Carries a datagram as ordered.
    func carry(_ datagram: [UInt8], isToServer: Bool, _ orders: inout Orders) {
        var datagram = datagram
        switch orders.next() {
        case 1: return
        case 2: arrive(datagram, isToServer: isToServer)
        case 3 where !datagram.isEmpty:
            let index = (Int(orders.next()) << 8 | Int(orders.next())) % datagram.count
            datagram[index] ^= orders.next()
        case 4: datagram = Array(datagram.prefix(Int(orders.next())))
        case 5:
            let (kind, epoch, count) = (orders.next(), orders.next() & 3, Int(orders.next()))
            let header = [kind, 0xFE, 0xFD, 0, epoch] + orders.next(6) + [0, UInt8(count)]
            arrive(header + orders.next(count), isToServer: isToServer)
        case 6: datagram += orders.next(Int(orders.next()))
        case 7: datagram = orders.next(Int(orders.next())) + datagram
        case 8: (held, datagram) = (datagram, held)
        case 9: datagram += datagram
        case 10:
            for (index, byte) in orders.next(25).enumerated() where index < datagram.count { datagram[index] ^= byte }
        case 11: arrive(datagram, isToServer: !isToServer)
        case 12: datagram = (0..<Int(orders.next())).flatMap { _ in datagram.prefix(64) }
        default: break
        }
        arrive(datagram, isToServer: isToServer)
    }
}

private func runBetween(_ orders: inout Orders, isOpen: Bool) {
    guard let middle = Middle() else { return }
    var none = Orders([])
    for _ in 0..<6 {
        for datagram in middle.client.take() {
            if isOpen {
                middle.carry(datagram, isToServer: true, &none)
            } else {
                middle.carry(datagram, isToServer: true, &orders)
            }
        }
        for datagram in middle.server?.take() ?? [] {
            if isOpen {
                middle.carry(datagram, isToServer: false, &none)
            } else {
                middle.carry(datagram, isToServer: false, &orders)
            }
        }
    }
    precondition(!isOpen || middle.client.session.state == .open && middle.server?.session.state == .open)
    let sent = (0..<12).map { number in [UInt8](repeating: UInt8(number + 1), count: number * 11 + 1) }
    for data in sent {
        middle.carry(middle.client.seal(data), isToServer: true, &orders)
        if let server = middle.server { middle.carry(server.seal(data), isToServer: false, &orders) }
    }
    for received in [middle.client.received, middle.server?.received ?? []] {
        precondition(Set(received).count == received.count, "a record came twice")
        precondition(Set(received).isSubset(of: sent), "other data than was sent")
    }
    guard isOpen else { return }
    // Both ends have sent data alone.
    precondition(middle.client.session.state == .open && middle.server?.session.state == .open, "ended by a stranger")
    middle.client.session.finish()
    for datagram in middle.client.take() { middle.arrive(datagram, isToServer: true) }
    precondition(middle.server?.session.state == .ended, "the end was not read")
}
