import Glibc
import LinuxIO
import NetworkTypes
import Synchronization
import Threading

/// The plain threads of the demo's upstreams and clients, and the sign that they should end.
final class DemoThreads: Sendable {
    private let isStopping = Atomic<Bool>(false)
    private let open = Atomic<Int>(0)

    /// Connections of upstreams that run at once; more are refused, so that the demo stays small whatever happens.
    private static let maxConnections = 128
    /// How long a thread waits before it looks whether to go on.
    private static let step = Duration.milliseconds(200)

    /// Whether to go on.
    var isRunning: Bool { !isStopping.load(ordering: .relaxed) }

    /// Lets every thread end, within about a second.
    func stop() {
        isStopping.store(true, ordering: .relaxed)
    }

    /// Runs `body` again and again with pauses of this length. What it throws is a part of the show: clients of the
    /// demo meet closed ports and resets on purpose.
    func `repeat`(every pause: Duration, _ body: @escaping @Sendable () throws -> Void) throws(SystemError) {
        try Thread.start { [self] in
            while isRunning {
                try? body()
                rest(pause)
            }
        }
    }

    /// Serves each connection of a listening socket on a thread of its own. With `failures` the socket is closed after
    /// a time, and comes back after another, again and again.
    func serve(
        _ address: SocketAddress, failing failures: (every: Duration, for: Duration)? = nil,
        _ body: @escaping @Sendable (BlockingSocket) throws -> Void
    ) throws(SystemError) {
        // The thread takes it over: a reference of its closure would keep the socket open.
        let first = Lock<DemoListener?>(try DemoListener(address))
        try Thread.start { [self] in
            var listener = first.withLock { $0.take() }
            var since = MonotonicClock.system.nanoseconds
            while isRunning {
                if let failures, MonotonicClock.system.nanoseconds - since >= failures.every.clampedNanoseconds {
                    listener = nil
                    rest(failures.for)
                    since = MonotonicClock.system.nanoseconds
                }
                if listener == nil { listener = try? DemoListener(address) }
                guard let listener else {
                    rest(Self.step)
                    continue
                }
                guard let connection = listener.accept(within: Self.step) else { continue }
                guard open.load(ordering: .relaxed) < Self.maxConnections else { continue }
                open.add(1, ordering: .relaxed)
                let isStarted =
                    (try? Thread.start { [self] in
                        try? body(connection)
                        open.subtract(1, ordering: .relaxed)
                    }) != nil
                if !isStarted { open.subtract(1, ordering: .relaxed) }
            }
        }
    }

    /// Answers datagrams on one thread; `body` gives the answer to each, or none.
    func answer(_ address: SocketAddress, _ body: @escaping @Sendable ([UInt8]) -> [UInt8]?) throws(SystemError) {
        let socket = try DemoDatagramSocket(address)
        try Thread.start { [self] in
            while isRunning { socket.answer(within: Self.step, body) }
        }
    }

    /// Waits, but not longer than until the end.
    func rest(_ pause: Duration) {
        var left = pause
        while left > .zero, isRunning {
            Poll.pause(min(left, Self.step))
            left -= Self.step
        }
    }
}

/// A listening socket of the demo.
final class DemoListener: Sendable {
    private let socket: Socket

    init(_ address: SocketAddress, backlog: Int = 128) throws(SystemError) {
        socket = try Socket(.stream, family: Socket.family(of: address))
        try socket.set(.reuseAddress, true)
        try socket.bind(address)
        try socket.listen(backlog: backlog)
    }

    /// The next connection; nil where none came in time.
    func accept(within limit: Duration) -> BlockingSocket? {
        guard Poll.wait(for: .readable, on: socket.number, within: limit) else { return nil }
        switch socket.accept() {
        case .accepted(let connection, _): return BlockingSocket(connection)
        case .wouldBlock: return nil
        case .failed: return nil
        }
    }
}

/// A bound UDP socket of the demo.
// Proof: it is used by one thread only, the one that ``DemoThreads/answer(_:_:)`` starts; the inbox and the outbox are
// never shared.
final class DemoDatagramSocket: @unchecked Sendable {
    private let socket: Socket
    private let inbox = DatagramInbox(capacity: 16)
    private let outbox = DatagramOutbox(capacity: 16)

    init(_ address: SocketAddress) throws(SystemError) {
        socket = try Socket(.datagram, family: Socket.family(of: address))
        try socket.bind(address)
    }

    /// Takes what has come, or waits for it, and sends the answers.
    func answer(within limit: Duration, _ body: ([UInt8]) -> [UInt8]?) {
        guard Poll.wait(for: .readable, on: socket.number, within: limit) else { return }
        guard case .received(let count) = inbox.receive(from: socket, isConnected: false) else { return }
        for index in 0..<count {
            let datagram = inbox.datagram(at: index)
            guard let peer = datagram.peer, let answer = body(unsafe Array(datagram.bytes)) else { continue }
            unsafe answer.withUnsafeBytes { bytes in
                outbox.removeAll()
                outbox.setDestination(peer, from: nil, family: socket.family)
                unsafe outbox.add(bytes)
                _ = outbox.flush(to: socket, from: 0, coalescing: false)
            }
        }
        outbox.removeAll()
    }
}
