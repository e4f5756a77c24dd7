// Modules: NetworkTypes Threading LinuxIO WeirStream CTLS WeirTLS

import Glibc
import LinuxIO
import NetworkTypes
import WeirStream
import WeirTLS

/// Sessions of TLS whose records change on their way.
///
/// The first byte of an input chooses. Either all others are bytes for a session that has no real peer; or they are
/// orders for the one in the middle of a server and a client of ours: what to do with each record that comes by.
///
/// Nothing may trap or go on for ever. Each side gets a beginning of what the other has sent, and nothing else. An end
/// stays one, and each handshake is told once.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var orders = Orders(Array(UnsafeBufferPointer(start: data, count: count)))
    let choice = orders.next()
    let isMutual = choice & 1 != 0
    let settings = peers[isMutual ? 1 : 0]
    switch choice >> 1 & 3 {
    case 0: runAlone(End(settings.server.makeSession(worker: 0, observer: nil)), orders.rest)
    case 1: runAlone(End(settings.makeClientSession(nil)), orders.rest)
    default: runBetween(settings, &orders)
    }
    return 0
}

/// A server and a client that trust each other.
private struct Peers {
    let server: TLSServer
    let client: TLSClient

    init(isMutual: Bool) {
        var serverSettings = TLSServerSettings()
        serverSettings.protocols = ["h2", "mqtt"]
        if isMutual { serverSettings.clientAuthorities = pair }
        var clientSettings = TLSClientSettings()
        clientSettings.authorities = pair
        clientSettings.protocols = ["mqtt"]
        guard let set = try? CertificateSet([CertificateBytes(chain: pair, key: pair)]),
            let server = TLSServer(serverSettings, certificates: set),
            let client = TLSClient(clientSettings, own: isMutual ? set : nil)
        else { preconditionFailure("OpenSSL refuses the settings") }
        self.server = server
        self.client = client
    }

    func makeClientSession(_ observer: (any TLSObserver)?) -> TLSSession {
        client.makeSession(to: "a.example.net", port: 443, worker: 0, observer: observer)
    }
}

nonisolated(unsafe) private let peers = [Peers(isMutual: false), Peers(isMutual: true)]

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

/// The bytes of an input, one after the other; zeros behind its end.
private struct Orders {
    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index >= bytes.count }
    var rest: [UInt8] { Array(bytes.dropFirst(index)) }

    mutating func next() -> UInt8 {
        guard !isAtEnd else { return 0 }
        index += 1
        return bytes[index - 1]
    }

    mutating func next(_ count: Int) -> [UInt8] { (0..<count).map { _ in next() } }
}

/// Counts how often the end of a handshake is told.
private final class Teller: TLSObserver {
    nonisolated(unsafe) var count = 0
    nonisolated(unsafe) var truncations = 0

    func handshakeSucceeded(_ session: TLSSession, side: TLSSide, nanoseconds: UInt64, worker: Int) {
        _ = (session.serverName, session.applicationProtocol, session.cipher, session.peerName, session.version)
        count += 1
    }

    func handshakeFailed(side: TLSSide, reason: TLSFailure, worker: Int) { count += 1 }

    func truncated(side: TLSSide, worker: Int) { truncations += 1 }
}

/// A session over one end of a pair of sockets.
private final class End {
    let session: TLSSession
    private let socket: Socket
    /// The other end of the pair.
    let wire: CInt
    var step = HandshakeStep.waiting
    var received: [UInt8] = []
    var unsent: ArraySlice<UInt8> = []
    private var isFinished = false
    private(set) var isEnded = false
    private(set) var isBroken = false

    init(_ session: TLSSession) {
        var numbers: [CInt] = [0, 0]
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        precondition(socketpair(AF_UNIX, kind, 0, &numbers) == 0)
        socket = Socket(adopting: numbers[0], family: .ipv4)
        wire = numbers[1]
        self.session = session
    }

    deinit { close(wire) }

    var isOver: Bool {
        switch step {
        case .failed, .unused, .refused, .broken: true
        case .done, .doneUnlessRefused: isBroken || isEnded && unsent.isEmpty
        case .waiting, .yielded: false
        }
    }

    func turn() {
        switch step {
        case .waiting, .yielded: step = session.handshake(on: socket)
        case .done, .doneUnlessRefused: relay()
        case .failed, .unused, .refused, .broken: return
        }
    }

    private func relay() {
        if isBroken { return }
        if session.hasPendingOutput {
            if session.flush(to: socket) != nil { isBroken = true }
        } else if !unsent.isEmpty {
            switch unsent.withUnsafeBytes({ session.send($0, to: socket) }) {
            case .bytes(let count):
                precondition(count > 0 && count <= unsent.count)
                unsent = unsent.dropFirst(count)
            case .wouldBlock: break
            case .failed: isBroken = true
            }
        } else if !isFinished {
            isFinished = true
            session.finishWriting(on: socket)
        }
        if isEnded || isBroken { return }
        switch session.receive(into: buffer, from: socket) {
        case .bytes(let count):
            precondition(count <= buffer.count)
            received += UnsafeRawBufferPointer(rebasing: buffer[..<count])
        case .wouldBlock: break
        case .endOfStream: isEnded = true
        case .failed: isBroken = true
        }
        if isBroken {
            let again = session.receive(into: buffer, from: socket)
            guard case .failed = again else { preconditionFailure("alive again: \(again)") }
        }
    }
}

/// For the reads of all: to make one for each takes longer than a handshake under the address sanitizer.
nonisolated(unsafe) private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 40_000, alignment: 16)

/// Reads what there is.
private func drain(_ number: CInt) -> [UInt8] {
    var found: [UInt8] = []
    while case let count = recv(number, buffer.baseAddress, buffer.count, 0), count > 0 {
        found += UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }
    return found
}

private func put(_ bytes: some Collection<UInt8>, to number: CInt) {
    let bytes = Array(bytes)
    if !bytes.isEmpty { _ = send(number, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }
}

/// Gives bytes to a session that has no real peer, in two pieces, and then the end.
private func runAlone(_ end: End, _ bytes: [UInt8]) {
    end.unsent = [1, 2, 3]
    for piece in [bytes.prefix(bytes.count / 2), bytes.suffix(bytes.count - bytes.count / 2)] {
        put(piece, to: end.wire)
        for _ in 0..<6 { end.turn() }
        _ = drain(end.wire)
    }
    shutdown(end.wire, CInt(SHUT_WR))
    for _ in 0..<40 where !end.isOver {
        end.turn()
        _ = drain(end.wire)
    }
    precondition(end.isOver, "the end of the stream was not noticed")
    precondition(end.received.isEmpty, "bytes out of nothing")
}

/// The records of one direction on their way through the one in the middle.
private struct Way {
    private var stream: [UInt8] = []
    private var held: [UInt8] = []
    private(set) var isCut = false

    /// False where no byte has come.
    mutating func carry(from source: CInt, to target: CInt, _ orders: inout Orders) -> Bool {
        let piece = drain(source)
        stream += piece
        defer { if isCut { stream = [] } }
        while stream.count >= 5, !isCut {
            let length = 5 + (Int(stream[3]) << 8 | Int(stream[4]))
            guard stream.count >= length else { break }
            let record = Array(stream[..<length])
            stream.removeFirst(length)
            pass(record, to: target, &orders)
        }
        return !piece.isEmpty
    }

    private mutating func pass(_ record: [UInt8], to target: CInt, _ orders: inout Orders) {
        var record = record
        switch orders.next() {
        case 1: return
        case 2: put(record, to: target)
        case 3:
            let index = (Int(orders.next()) << 8 | Int(orders.next())) % record.count
            record[index] ^= orders.next()
        case 4: record = Array(record.prefix(Int(orders.next())))
        case 5:
            let (kind, count) = (orders.next(), Int(orders.next()))
            put([kind, 3, 3, 0, UInt8(count)] + orders.next(count), to: target)
        case 6:
            // The message goes on in records of its pieces.
            let size = max(Int(orders.next()), 1)
            guard record[0] == 22, record.count / size < 500 else { break }
            for start in stride(from: 5, to: record.count, by: size) {
                let piece = record[start..<min(start + size, record.count)]
                put(record[..<3] + [UInt8(piece.count >> 8), UInt8(piece.count & 255)] + piece, to: target)
            }
            return
        case 7:
            (held, record) = (record, held)
        case 8:
            isCut = true
            shutdown(target, CInt(SHUT_WR))
            return
        case 9:
            // Another header.
            for (index, byte) in orders.next(5).enumerated() { record[index] = byte }
        case 10:
            // Rubbish behind it.
            put(record, to: target)
            record = orders.next(Int(orders.next()))
        default: break
        }
        put(record, to: target)
    }
}

private func runBetween(_ settings: Peers, _ orders: inout Orders) {
    let tellers = (Teller(), Teller())
    let server = End(settings.server.makeSession(worker: 0, observer: tellers.0))
    let client = End(settings.makeClientSession(tellers.1))
    let down = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let up = (0..<3_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
    (server.unsent, client.unsent) = (down[...], up[...])
    var (toServer, toClient) = (Way(), Way())
    var silence = 0
    for _ in 0..<60 where !(server.isOver && client.isOver) {
        client.turn()
        let hasAsked = toServer.carry(from: client.wire, to: server.wire, &orders)
        server.turn()
        let hasAnswered = toClient.carry(from: server.wire, to: client.wire, &orders)
        silence = hasAsked || hasAnswered ? 0 : silence + 1
        if silence > 2 { break }
    }
    // What still waits for bytes that were dropped ends with its stream.
    for end in [server, client] {
        shutdown(end.wire, CInt(SHUT_WR))
        for _ in 0..<40 where !end.isOver {
            end.turn()
            _ = drain(end.wire)
        }
        precondition(end.isOver, "the end of the stream was not noticed")
    }
    precondition(server.received.elementsEqual(up.prefix(server.received.count)), "other bytes than were sent")
    precondition(client.received.elementsEqual(down.prefix(client.received.count)), "other bytes than were sent")
    precondition(tellers.0.count <= 1 && tellers.1.count <= 1, "a handshake was told twice")
    precondition(tellers.0.truncations <= 1 && tellers.1.truncations <= 1, "an end was told twice")
}
