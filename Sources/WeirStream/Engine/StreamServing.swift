import LinuxIO
import NetworkTypes

/// What the workers of one serving stream share.
final class StreamServing: Sendable {
    /// The stream's number in its engine.
    let number: UInt32
    /// Where it listens, with the real port.
    let address: SocketAddress
    let family: Socket.Family
    /// Whether it is bound to every address.
    let isWildcard: Bool
    /// How many listening sockets it has: one a worker, or fewer where descriptors are short.
    let socketCount: Int
    let workers: [Worker]
    let count = StreamCount()
    private let onWorkerFinished: @Sendable () -> Void

    init(
        number: UInt32, sockets: ListenerSockets, workers: [Worker], onWorkerFinished: @escaping @Sendable () -> Void
    ) {
        self.number = number
        address = sockets.address
        family = sockets.family
        isWildcard = sockets.isWildcard
        socketCount = sockets.count
        self.workers = workers
        self.onWorkerFinished = onWorkerFinished
    }

    /// A worker takes nothing new and carries nothing any more.
    func workerFinished() { onWorkerFinished() }
}
