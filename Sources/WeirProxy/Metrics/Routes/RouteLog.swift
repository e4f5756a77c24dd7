import LinuxIO
import Logging
import NetworkTypes
import WeirStream

/// A route's way into the log, for its observer: makes records, never lines.
struct RouteLog: Sendable {
    private let output: LogOutput
    private let number: UInt32

    init(_ output: LogOutput, number: UInt32) {
        self.output = output
        self.number = number
    }

    /// The observer is gone: nothing will be logged under this number any more.
    func retire() {
        output.routes.retire(number)
    }

    /// Queues what happened to a connection or session, on its worker.
    @inline(__always)
    func record(_ fact: LogRecord.Fact, _ context: StreamContext) {
        guard output.takes(fact.level) else { return }
        output.record(
            LogRecord(
                time: WallClock.nanoseconds, route: number, id: context.id, client: context.clientAddress,
                upstreamAddress: context.upstreamAddress,
                upstream: context.upstream.map(Int32.init(clamping:)) ?? LogRecord.noUpstream,
                session: context.sessionFacts, serverName: context.serverName, fact: fact),
            shard: context.worker)
    }

    /// Queues that a client is there, and behind which peer.
    func recordOpened(_ context: StreamContext) {
        record(.opened, context)
        if context.isNamedByHeader { record(.proxied(by: context.peerAddress), context) }
    }

    /// Queues what happened to the route on a worker.
    func record(_ fact: LogRecord.Fact, worker: Int) {
        guard output.takes(fact.level) else { return }
        output.record(plain(fact), shard: worker)
    }

    /// Queues what happened to a client that belongs to no route yet. `serverName` is that of its hello.
    func record(_ fact: LogRecord.Fact, of client: SocketAddress, serverName: [UInt8]?, worker: Int) {
        guard output.takes(fact.level) else { return }
        var record = plain(fact)
        record.client = client
        record.serverName = serverName
        output.record(record, shard: worker)
    }

    /// Queues what happened to the route elsewhere.
    func record(_ fact: LogRecord.Fact) {
        guard output.takes(fact.level) else { return }
        output.record(plain(fact))
    }

    private func plain(_ fact: LogRecord.Fact) -> LogRecord {
        LogRecord(
            time: WallClock.nanoseconds, route: number, id: 0, client: nil, upstreamAddress: nil, fact: fact)
    }
}
