import LinuxIO

/// The open descriptors without which a set of streams could not serve a client, and what each is for.
public struct DescriptorNeed: Sendable, Equatable {
    /// The rest of the process: standard streams, event loops, exporter, resolver, files.
    public let process: Int
    /// The sockets of listening addresses.
    public let listeners: Int
    /// Clients: a TCP connection takes two, a UDP session one.
    public let clients: Int
    /// All of them.
    public var total: Int { process + listeners + clients }

    /// Four TCP connections at once, or eight UDP sessions: less is no service.
    static let minTraffic = 8
    /// No process needs more.
    private static let maxLimit = 1 << 24

    private let addresses: Int
    private let workers: Int

    /// The need of streams that listen at so many addresses on so many workers.
    public init(listeners addresses: Int, workers: Int) {
        self.addresses = addresses
        self.workers = workers
        clients = Self.minTraffic
        var limit = DescriptorBudget.minReserve + addresses + Self.minTraffic
        while limit < Self.maxLimit, Self.left(of: limit, addresses, workers) < Self.minTraffic { limit += 1 }
        process = DescriptorBudget.reserve(of: limit, workers: workers)
        listeners = limit - process - Self.minTraffic
    }

    /// Whether a limit of open descriptors (getrlimit(2)) is enough.
    public func isMet(by limit: Int) -> Bool { Self.left(of: limit, addresses, workers) >= Self.minTraffic }

    /// The descriptors that clients would have, as ``DescriptorBudget`` divides them.
    private static func left(of limit: Int, _ addresses: Int, _ workers: Int) -> Int {
        // Listeners have a socket for each worker while their part lasts, and then one.
        let complete = min(addresses, limit / 4 / max(workers, 1))
        return limit - DescriptorBudget.reserve(of: limit, workers: workers) - complete * workers
            - (addresses - complete)
    }

    /// The limit of this process: its hard one, to which the soft one is raised.
    /// - Throws: ``StreamError/system(_:)``
    public static func limit() throws(StreamError) -> Int {
        do throws(SystemError) { return try ProcessLimits.raiseDescriptorLimit() } catch { throw .system(error) }
    }
}
