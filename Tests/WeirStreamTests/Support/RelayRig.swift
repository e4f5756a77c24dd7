import Glibc
import LinuxIO
import NetworkTypes
import TestSupport

@testable import WeirStream

/// A relay over two pairs of connected sockets, without listener or engine. The test holds the outer ends, where the
/// client and the upstream would be, and an event loop of its own tells the relay what happened to the inner ones.
final class RelayRig: EventHandler, RelayOwner {
    private enum Tag {
        static let client = 0
        static let upstream = 1
    }

    let resources: RelayResources
    let clientEnd: OuterEnd
    let upstreamEnd: OuterEnd
    private var relay: Relay
    private let loop: EventLoop
    private let thread: EventLoopThread
    private var token: EventToken!

    /// Everything that the relay said, but for waiting and yielding.
    private(set) var outcomes: [Relay.Outcome] = []
    private(set) var reads: [Direction: [Int]] = [:]
    private(set) var discarded: [Direction: Int] = [:]
    private(set) var backpressureCount = 0
    private(set) var isDone = false
    var maxReadByteCount = Int.max
    var mayRead: (Direction) -> Int = { _ in .max }
    var onRead: (Int, Direction) -> ReadDecision = { _, _ in .forward }
    /// Directions that wait for ``resume(_:)``.
    private(set) var paused: Set<Direction> = []
    /// Whether a direction that needs room is resumed at once.
    var resumesForRoom = true
    private(set) var roomRequests = 0
    /// Called for a session that says would-block without the socket.
    var faulty: [FaultySession] = []

    /// Sessions encrypt the side that they are given for; the outer end there has `peer`'s.
    init(
        bufferMemory: Int = 1 << 20, client: (any SecureSession)? = nil, clientPeer: (any SecureSession)? = nil,
        upstream: (any SecureSession)? = nil, upstreamPeer: (any SecureSession)? = nil, bufferSize: Int? = nil
    ) throws {
        thread = try EventLoopThread(name: "rig")
        loop = try EventLoop(wokenBy: thread)
        resources = RelayResources(
            bufferMemory: bufferMemory, budget: DescriptorBudget(limit: 4_096, maxConnections: nil))
        let clientPair = try OuterEnd.pair(bufferSize: bufferSize)
        let upstreamPair = try OuterEnd.pair(bufferSize: bufferSize)
        clientEnd = OuterEnd(clientPair.outer, session: clientPeer)
        upstreamEnd = OuterEnd(upstreamPair.outer, session: upstreamPeer)
        let inner = Socket(adopting: clientPair.inner, family: .ipv4)
        relay = Relay(client: RelayEndpoint(accepted: inner), now: loop.now)
        relay.upstream = RelayEndpoint(
            dialed: Socket(adopting: upstreamPair.inner, family: .ipv4), expectsSingleResponse: false)
        if let client { relay.client.secure(with: client) }
        if let upstream { relay.upstream.secure(with: upstream) }
        token = loop.insert(self)
        try loop.add(clientPair.inner, .relay, token: token.with(tag: Tag.client))
        try loop.add(upstreamPair.inner, .relay, token: token.with(tag: Tag.upstream))
        if client != nil || upstream != nil { try shakeHands() }
    }

    private func shakeHands() throws {
        try waitUntil("all have shaken hands") {
            let steps = [
                relay.client.handshake(), relay.upstream.handshake(), clientEnd.handshake(), upstreamEnd.handshake(),
            ]
            return steps.allSatisfy { $0 == .done }
        }
    }

    /// Gives back everything; the owner of a relay always does.
    func close(withReset: Bool = true) {
        isDone = true
        relay.close(withReset: withReset, resources: resources, owner: self)
        if loop.handler(of: token) != nil { loop.remove(token) }
    }

    var ingressByteCount: UInt64 { relay.ingressByteCount }
    var egressByteCount: UInt64 { relay.egressByteCount }
    var isHalfClosed: Bool { relay.isHalfClosed }
    var isPaused: Bool { relay.isPaused }

    // MARK: Turning

    /// Turns the loop and both outer ends until `condition` holds.
    func run(until what: String, _ condition: (RelayRig) -> Bool) throws {
        try waitUntil(what) {
            for _ in 0..<200 where !condition(self) { try turn() }
            return condition(self)
        }
    }

    func turn() throws {
        clientEnd.turn()
        upstreamEnd.turn()
        loop.turn(mayWait: false)
        // No event tells when a peer's kernel has acknowledged all.
        if case .broken = outcomes.last { advance() }
        for session in faulty where session.owesEvent {
            session.owesEvent = false
            relay.client.note([.readable, .writable])
            relay.upstream.note([.readable, .writable])
            advance()
        }
    }

    func advance() {
        while !isDone {
            let outcome = relay.advance(now: loop.now, resources: resources, owner: self)
            switch outcome {
            case .waiting: return
            case .yielded:
                loop.defer(token)
                return
            case .halfClosed: outcomes.append(outcome)
            case .closed:
                outcomes.append(outcome)
                close(withReset: false)
            case .stopped:
                outcomes.append(outcome)
                close()
            case .broken(let failure):
                if outcomes.last != outcome { outcomes.append(outcome) }
                if failure.isFlushed { return close() }
                if failure.isYielded { loop.defer(token) }
                return
            }
        }
    }

    func resume(_ direction: Direction) {
        paused.remove(direction)
        relay.resume(direction, now: loop.now)
        advance()
    }

    func descriptorReady(_ events: EventSet, tag: Int) {
        if tag == Tag.client { relay.client.note(events) } else { relay.upstream.note(events) }
        advance()
    }

    func deferred(tag: Int) { advance() }

    /// Resumes a direction that waited for room (``RelayResources/roomRetryDelay``).
    func timerFired(tag: Int, deadline: UInt64) { resume(tag == 0 ? .ingress : .egress) }

    // MARK: RelayOwner

    func relayMayRead(_ direction: Direction) -> Int {
        let granted = min(maxReadByteCount, mayRead(direction))
        if granted == 0 { paused.insert(direction) }
        return granted
    }

    func relayDidRead(_ byteCount: Int, _ direction: Direction) -> ReadDecision {
        reads[direction, default: []].append(byteCount)
        let decision = onRead(byteCount, direction)
        if case .pause = decision { paused.insert(direction) }
        return decision
    }

    func relayNeedsRoom(_ direction: Direction) {
        roomRequests += 1
        guard resumesForRoom else { return }
        _ = loop.schedule(afterNanoseconds: 1_000_000, token: token.with(tag: direction == .ingress ? 0 : 1))
    }

    func relayMetBackpressure(_ direction: Direction) { backpressureCount += 1 }
    func relayDiscarded(_ byteCount: Int, _ direction: Direction) { discarded[direction, default: 0] += byteCount }
    func relayGotResponse(isAsked: Bool, withEnd: Bool) {}
}

/// The other end of a pair of sockets: sends what it is given as fast as the socket takes it, and keeps what it reads.
final class OuterEnd {
    private var endpoint: RelayEndpoint
    private let isEncrypted: Bool
    private var unsent: ArraySlice<UInt8> = []
    private var endsAfterSending = false
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    private(set) var received: [UInt8] = []
    private(set) var ending: Ending?
    private(set) var sentCount = 0
    var isReading = true

    enum Ending: Equatable {
        case end, broken
    }

    init(_ number: CInt, session: (any SecureSession)?) {
        endpoint = RelayEndpoint(accepted: Socket(adopting: number, family: .ipv4))
        isEncrypted = session != nil
        if let session { endpoint.secure(with: session) }
    }

    /// The numbers of connected TCP sockets on the loopback address: the test's, and the relay's.
    static func pair(bufferSize: Int? = nil) throws -> (outer: CInt, inner: CInt) {
        let listener = try Socket(.stream, family: .ipv4)
        if let bufferSize { listener.setIfPossible(.receiveBuffer, bufferSize) }
        try listener.bind(SocketAddress(.loopbackIPv4, port: 0))
        try listener.listen(backlog: 1)
        let outer = try Socket(.stream, family: .ipv4)
        if let bufferSize { outer.setIfPossible(.receiveBuffer, bufferSize) }
        _ = outer.connect(to: try listener.localAddress())
        var number: CInt = -1
        try waitUntil("the pair is connected") {
            guard case .accepted(let socket, _) = listener.accept() else { return false }
            number = socket.release()
            if let bufferSize {
                var size = CInt(bufferSize)
                setsockopt(number, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
            }
            return true
        }
        return (outer.release(), number)
    }

    func handshake() -> HandshakeStep { endpoint.handshake() }

    func send(_ bytes: [UInt8], thenEnd: Bool = false) {
        unsent += bytes
        endsAfterSending = endsAfterSending || thenEnd
    }

    func end() { endsAfterSending = true }

    /// Resets the connection.
    func reset() {
        endpoint.close(withReset: true)
        ending = .broken
    }

    var hasSentAll: Bool { unsent.isEmpty && !endsAfterSending }

    /// The bytes that wait in its socket, as they are on the wire.
    func wire() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        guard case .bytes(let count) = bytes.withUnsafeMutableBytes({ endpoint.receiveCopy(into: $0) }) else {
            return []
        }
        return Array(bytes.prefix(count))
    }

    func turn() {
        write()
        if isReading { read() }
    }

    private func write() {
        if endpoint.hasPendingOutput { try? endpoint.flushPendingOutput() }
        if endpoint.hasPendingOutput { return }
        while !unsent.isEmpty {
            guard case .bytes(let count) = unsent.withUnsafeBytes({ endpoint.send($0, more: false) }) else { return }
            sentCount += count
            unsent = unsent.dropFirst(count)
            if endpoint.hasPendingOutput { return }
        }
        if endsAfterSending {
            endsAfterSending = false
            endpoint.finishWriting()
        }
    }

    private func read() {
        while ending == nil {
            switch buffer.withUnsafeMutableBytes({ endpoint.receive(into: $0) }) {
            case .bytes(0): return
            case .bytes(let count): received += buffer.prefix(count)
            case .wouldBlock: return
            case .endOfStream: ending = .end
            case .failed: ending = .broken
            }
        }
    }
}
