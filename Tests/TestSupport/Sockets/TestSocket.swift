import Glibc
import Synchronization

/// A blocking socket that gives up after ten seconds, closed with its last owner.
package final class TestSocket: Sendable {
    let descriptor: Int32
    private let isClosed = Atomic<Bool>(false)

    init(adopting descriptor: Int32) {
        self.descriptor = descriptor
        try? setTimeouts(seconds: 10)
    }

    init(family: Int32, type: __socket_type) throws {
        descriptor = try checked("socket") { socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) }
        try setTimeouts(seconds: 10)
    }

    deinit { close() }

    package func close() {
        if !isClosed.exchange(true, ordering: .relaxed) { Glibc.close(descriptor) }
    }

    package func setTimeouts(seconds: Int) throws {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        try checked("SO_RCVTIMEO") { setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size) }
        try checked("SO_SNDTIMEO") { setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size) }
    }

    package func set(_ option: Int32, level: Int32 = SOL_SOCKET, to value: Int32) throws {
        var value = value
        try checked("setsockopt \(option)") {
            setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    package func bind(to endpoint: Endpoint) throws {
        try bindSocket(descriptor, to: endpoint.host, port: endpoint.port)
    }

    package func connect(to endpoint: Endpoint) throws {
        try endpoint.withSocketAddress { address, length in
            _ = try checked("connect \(endpoint)") { Glibc.connect(descriptor, address, length) }
        }
    }

    package var localEndpoint: Endpoint {
        get throws {
            try Endpoint.read("getsockname") { address, length in
                try checked("getsockname") { getsockname(descriptor, address, length) }
            }
        }
    }

    package var peerEndpoint: Endpoint {
        get throws {
            try Endpoint.read("getpeername") { address, length in
                try checked("getpeername") { getpeername(descriptor, address, length) }
            }
        }
    }

    /// Whether a read would return at once: data, the end or an error.
    package func isReadable(within milliseconds: Int32 = 0) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }
}
