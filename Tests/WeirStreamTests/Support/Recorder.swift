import LinuxIO
import NetworkTypes
import TestSupport
import Threading
import WeirStream

/// Remembers what the engine tells of its connections and sessions.
final class Recorder: StreamObserver {
    enum Event: Equatable, Sendable {
        case opened
        case headerRead(ProxyHeader.Version)
        case headerFailed(ProxyHeaderError)
        case rejected(RejectReason)
        case preDialFinished
        case dialed(upstream: Int)
        case dialFailed(upstream: Int, DialFailure)
        case timedOut(TimeoutKind)
        case paused(Direction, PauseCause)
        case discarded(Direction, Int)
        case closed(ConnectionCloseReason)
        case forwarded(Direction, datagrams: Int, bytes: Int)
        case dropped(Direction, DropReason, Int)
        case upstreamFailed(UpstreamErrorReason)
        case upstreamLeft(upstream: Int)
        case moved(SessionMoveReason)
        case sessionClosed(SessionCloseReason)
        case acceptFailed(AcceptErrorReason)
        case acceptPaused
        case resolved(upstream: Int, DialFailure?)
    }

    struct Seen: Sendable {
        var events: [Event] = []
        var totals: [FlowTotals] = []
        var workers: [Int: Int] = [:]
        var clients: [SocketAddress] = []
        var upstreamAddresses: [SocketAddress] = []
    }

    private let state = Lock(Seen())

    var seen: Seen { state.withLock { $0 } }
    var events: [Event] { seen.events }
    /// The totals of those that ended, in order.
    var totals: [FlowTotals] { seen.totals }

    func count(_ event: Event) -> Int { state.withLock { seen in seen.events.count { $0 == event } } }

    /// Waits until an event was told.
    func expect(_ event: Event, times: Int = 1) throws {
        try waitUntil("\(event) x\(times) is told; so far \(events.suffix(20))") { self.count(event) >= times }
    }

    /// Datagrams forwarded and dropped, by direction and reason.
    func forwarded(_ direction: Direction) -> Int {
        events.reduce(0) { sum, event in
            if case .forwarded(direction, let datagrams, _) = event { sum + datagrams } else { sum }
        }
    }

    /// Waits until so many datagrams were told as forwarded: that comes after the send, so their reader may be quicker.
    func expectForwarded(_ direction: Direction, _ count: Int) throws {
        try waitUntil("\(count) datagrams are told as forwarded; so far \(forwarded(direction))") {
            forwarded(direction) == count
        }
    }

    func dropped(_ direction: Direction, _ reason: DropReason) -> Int {
        events.reduce(0) { sum, event in
            if case .dropped(direction, reason, let datagrams) = event { sum + datagrams } else { sum }
        }
    }

    private func note(_ event: Event) { state.withLock { $0.events.append(event) } }

    func opened(_ context: StreamContext) {
        state.withLock {
            $0.events.append(.opened)
            $0.workers[context.worker, default: 0] += 1
            $0.clients.append(context.clientAddress)
        }
    }

    func proxyHeaderRead(_ context: StreamContext?, version: ProxyHeader.Version, worker: Int) {
        note(.headerRead(version))
    }

    func proxyHeaderFailed(
        _ context: StreamContext?, reason: ProxyHeaderError, excerpt: ProxyHeaderExcerpt, worker: Int
    ) {
        note(.headerFailed(reason))
    }

    func rejected(_ context: StreamContext, reason: RejectReason) { note(.rejected(reason)) }
    func preDialFinished(_ context: StreamContext, duration: Duration) { note(.preDialFinished) }

    func dialed(_ context: StreamContext, upstream: Int, duration: Duration) {
        state.withLock {
            $0.events.append(.dialed(upstream: upstream))
            if let address = context.upstreamAddress { $0.upstreamAddresses.append(address) }
        }
    }

    func dialFailed(_ context: StreamContext, upstream: Int, reason: DialFailure, detail: SystemError?) {
        note(.dialFailed(upstream: upstream, reason))
    }

    func timedOut(_ context: StreamContext, kind: TimeoutKind) { note(.timedOut(kind)) }
    func paused(_ context: StreamContext, direction: Direction, cause: PauseCause) { note(.paused(direction, cause)) }

    func discarded(_ context: StreamContext, direction: Direction, byteCount: Int) {
        note(.discarded(direction, byteCount))
    }

    func connectionClosed(_ context: StreamContext, reason: ConnectionCloseReason, totals: FlowTotals) {
        state.withLock {
            $0.totals.append(totals)
            $0.events.append(.closed(reason))
        }
    }

    func forwarded(_ context: StreamContext, direction: Direction, datagrams: Int, byteCount: Int) {
        note(.forwarded(direction, datagrams: datagrams, bytes: byteCount))
    }

    func dropped(_ context: StreamContext?, direction: Direction, reason: DropReason, datagrams: Int, worker: Int) {
        note(.dropped(direction, reason, datagrams))
    }

    func upstreamFailed(_ context: StreamContext, upstream: Int, reason: UpstreamErrorReason) {
        note(.upstreamFailed(reason))
    }

    func upstreamLeft(_ context: StreamContext, upstream: Int) { note(.upstreamLeft(upstream: upstream)) }

    func moved(_ context: StreamContext, reason: SessionMoveReason) { note(.moved(reason)) }

    func sessionClosed(_ context: StreamContext, reason: SessionCloseReason, totals: FlowTotals) {
        state.withLock {
            $0.totals.append(totals)
            $0.events.append(.sessionClosed(reason))
        }
    }

    func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int) { note(.acceptFailed(reason)) }
    func acceptPaused(worker: Int) { note(.acceptPaused) }
    func resolved(upstream: Int, failure: DialFailure?) { note(.resolved(upstream: upstream, failure)) }
}
