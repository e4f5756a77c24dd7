import Glibc
import LinuxIO
import NetworkTypes
import Threading
import WeirStream

/// A connection to an upstream that reset one of a client's: it tells whether the upstream or the client was the cause.
/// A server that closes at once whatever comes is the cause.
enum SuspectProbe {
    /// The longest time for a connection.
    static let connectLimit = Duration.seconds(2)
    /// How long it must stay open, with nothing sent.
    static let openTime = Duration.milliseconds(100)

    /// Whether a connection to the upstream, from the source of dials, was made and stayed open for 100 ms.
    static func connect(to upstream: Upstream, from source: DialSource? = nil) async -> Bool {
        await withCheckedContinuation { continuation in
            do {
                // getaddrinfo(3) and the waits block.
                try Thread.start(name: "weir-probe") { continuation.resume(returning: probe(upstream, source)) }
            } catch {
                // Without a thread the upstream is not judged: it stays.
                continuation.resume(returning: true)
            }
        }
    }

    private static func probe(_ upstream: Upstream, _ source: DialSource?) -> Bool {
        do throws(SystemError) {
            let socket: BlockingSocket
            if let path = upstream.host.unixPath {
                socket = try BlockingSocket.connect(to: path, timeout: connectLimit)
            } else {
                guard let address = address(of: upstream, source) else { return false }
                socket = try BlockingSocket.connect(to: address, source: source, timeout: connectLimit)
            }
            guard socket.isReadable(within: openTime) else { return true }
            // A greeting is a good sign; an end or a reset within the time is not.
            return try !socket.receive(atMost: 1).isEmpty
        } catch {
            return !error.isOfUpstream
        }
    }

    private static func address(of upstream: Upstream, _ source: DialSource?) -> SocketAddress? {
        if let literal = upstream.literal { return literal }
        let all = try? AddressLookup.resolve(upstream.host.description)
        guard let found = all?.first(where: { source?.reaches($0.ip) ?? true }) else { return nil }
        return SocketAddress(found.ip, port: upstream.port, scope: found.scope)
    }
}

extension SystemError {
    /// Whether the upstream, or the way to it, is the cause. Without a descriptor, a port or memory of this machine a
    /// failed connection says nothing of the upstream.
    fileprivate var isOfUpstream: Bool {
        [ECONNREFUSED, ENOENT, ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, EHOSTDOWN, ENETUNREACH].contains(code)
    }
}
