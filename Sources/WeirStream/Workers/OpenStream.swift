import LinuxIO
public import NetworkTypes

/// An open connection or session, as it was when its worker was asked.
public struct OpenStream: Sendable {
    /// See ``StreamContext/id``.
    public let id: UInt64
    /// The route's name.
    public let route: String
    /// TCP connection or UDP session.
    public let transport: Transport
    /// The client's address: the effective one, after a trusted PROXY header.
    public let clientAddress: SocketAddress
    /// The address that the client connected or sent to.
    public let localAddress: SocketAddress
    /// The upstream that was reached; nil while it is chosen and dialed.
    public let upstream: Upstream?
    /// The address of that upstream.
    public let upstreamAddress: SocketAddress?
    /// The time since it began.
    public let age: Duration
    /// The time since it last moved a byte.
    public let silence: Duration
    /// Bytes from the client.
    public let ingressBytes: UInt64
    /// Bytes from the upstream.
    public let egressBytes: UInt64
    let worker: Int
    /// Finds it on its worker as long as it is open.
    let token: EventToken

    init(
        _ context: StreamContext, token: EventToken, upstream: Upstream?, openedAt: UInt64, lastActivity: UInt64,
        bytes: (ingress: UInt64, egress: UInt64), now: UInt64
    ) {
        id = context.id
        route = context.route
        transport = context.transport
        clientAddress = context.clientAddress
        localAddress = context.localAddress
        self.upstream = upstream
        upstreamAddress = context.upstreamAddress
        age = .nanoseconds(now - min(now, openedAt))
        silence = .nanoseconds(now - min(now, lastActivity))
        (ingressBytes, egressBytes) = bytes
        worker = context.worker
        self.token = token
    }
}

/// A place in the walk over all that is open.
public struct OpenStreamCursor: Sendable {
    let worker: Int
    let slot: Int
}

extension StreamEngine {
    /// The next slice of what is open, and the place where the walk goes on; nil at its end. A walk begins with nil.
    ///
    /// Each call is one short piece of work between two turns of one worker, however much is open. What is open all the
    /// time is met exactly once; what begins or ends meanwhile may be met or not.
    public func openStreams(
        from cursor: OpenStreamCursor? = nil
    ) async -> (streams: [OpenStream], next: OpenStreamCursor?) {
        let place = cursor ?? OpenStreamCursor(worker: 0, slot: 0)
        let (streams, slot) = await workers[place.worker].openStreams(fromSlot: place.slot)
        if let slot { return (streams, OpenStreamCursor(worker: place.worker, slot: slot)) }
        let isLast = place.worker + 1 == workerCount
        return (streams, isLast ? nil : OpenStreamCursor(worker: place.worker + 1, slot: 0))
    }

    /// Ends these connections and sessions as ``ConnectionCloseReason/admin`` and ``SessionCloseReason/admin``.
    /// - Returns: the number of those that were still open.
    public func end(_ streams: [OpenStream]) async -> Int {
        var ended = 0
        for (worker, streams) in Dictionary(grouping: streams, by: \.worker) {
            var rest = streams[...]
            while !rest.isEmpty {
                ended += await workers[worker].end(Array(rest.prefix(Worker.endingsInSlice)))
                rest = rest.dropFirst(Worker.endingsInSlice)
            }
        }
        return ended
    }
}

extension Worker {
    /// Slots that are looked at in one piece of work: some 100 µs where all are connections.
    private static let slotsInSlice = 512
    /// Connections that are ended in one piece of work: a few system calls each.
    static let endingsInSlice = 64

    /// The connections and sessions in the slots of the loop from `first` on, and the slot after them; nil at the end.
    func openStreams(fromSlot first: Int) -> (streams: [OpenStream], next: Int?) {
        let loop = core.loop
        let end = min(loop.slotCount, first + Self.slotsInSlice)
        var streams: [OpenStream] = []
        for slot in min(first, end)..<end {
            guard let (handler, token) = loop.owner(inSlot: slot) else { continue }
            if let connection = handler as? TCPConnection {
                streams.append(connection.summary(token))
            } else if let session = handler as? UDPSession {
                streams.append(session.summary(token))
            }
        }
        return (streams, end < loop.slotCount ? end : nil)
    }

    /// Ends these connections and sessions, and returns the number of those that were still open.
    func end(_ streams: [OpenStream]) -> Int {
        streams.count { stream in
            let handler = core.loop.handler(of: stream.token)
            if let connection = handler as? TCPConnection, connection.context.id == stream.id {
                connection.end(.admin, withReset: true)
                return true
            }
            if let session = handler as? UDPSession, session.context.id == stream.id {
                session.end(.admin)
                return true
            }
            return false
        }
    }
}

extension TCPConnection {
    fileprivate func summary(_ token: EventToken) -> OpenStream {
        let (openedAt, lastActivity, ingress, egress) = progress
        return OpenStream(
            context, token: token, upstream: member.flatMap { route.state(of: $0)?.upstream }, openedAt: openedAt,
            lastActivity: lastActivity, bytes: (ingress, egress), now: core.loop.now)
    }
}

extension UDPSession {
    fileprivate func summary(_ token: EventToken) -> OpenStream {
        OpenStream(
            context, token: token, upstream: member.flatMap { route.state(of: $0)?.upstream }, openedAt: openedAt,
            lastActivity: lastActivity, bytes: (ingressBytes, egressBytes), now: core.loop.now)
    }
}
