import Glibc
import LinuxIO
import NetworkTypes

/// One attempt of a check: a socket and the conversation over it. It returns what happened; its owner performs that,
/// and has the timers.
final class CheckAttempt {
    /// How far it has come.
    enum Progress {
        case pending
        /// The member takes no connection now, and no event tells when it does: connect anew after a while.
        case busy
        case passed
        case failed(CheckOutcome)
        /// This machine could not do it, which says nothing about the member.
        case impossible(SystemError)
    }

    /// The bound on bytes that are read and dropped while a conversation ends in order.
    private static let maxLeavingBytes = 64 * 1024
    /// The bound on reads without bytes that a member may cause.
    private static let maxEmptyReads = 16

    private let address: SocketAddress
    private let path: UnixSocketPath?
    private let isStream: Bool
    private var socket: Socket?
    /// Carries the conversation; nil where the socket does.
    private let session: (any CheckSession)?
    private var conversation: Conversation
    private var output: ArraySlice<UInt8>
    private var isConnected = false
    /// Whether the conversation has begun.
    private var hasBegun = false
    private var emptyReads = 0
    /// Whether the last connect found the member busy.
    private(set) var isBusy = false
    /// Whether the member has ended its side.
    private var hasEnded = false
    /// Whether the session was told that nothing follows.
    private var hasFinished = false
    private var bytesDropped = 0

    /// Opens a socket, bound to `source` where there is one.
    init(
        to address: SocketAddress, at path: UnixSocketPath? = nil, from source: SocketAddress?,
        over transport: Transport, _ conversation: Conversation, opening: [UInt8], session: (any CheckSession)? = nil
    ) throws(SystemError) {
        self.session = session
        self.address = address
        self.path = path
        self.conversation = conversation
        isStream = transport == .tcp
        output = opening[...]
        let family = Socket.family(of: address)
        let socket = try Socket(isStream ? .stream : .datagram, family: family)
        if let source {
            if source.port == 0 { socket.setIfPossible(.bindWithoutPort, 1) }
            try socket.bind(source)
        }
        if !isStream {
            // Also errors that are no refusal reach the socket then.
            socket.setIfPossible(family == .ipv6 ? .receiveErrorsIPv6 : .receiveErrorsIPv4, 1)
        } else if family != .unix, !opening.isEmpty || conversation.endsWithConnection {
            // The ACK that ends the handshake goes with the opening. Where there is none, the reset at the end takes
            // its place: the member's kernel then drops the half-open connection, and its application never sees it.
            socket.setIfPossible(.deferAccept, 1)
        }
        self.socket = consume socket
    }

    // MARK: Way to an outcome

    /// Begins to connect.
    func connect() -> Progress {
        let progress = tryToConnect()
        isBusy = if case .busy = progress { true } else { false }
        return progress
    }

    private func tryToConnect() -> Progress {
        switch path.map({ socket?.connect(to: $0) }) ?? socket?.connect(to: address) {
        case .connected: talk()
        // The queue of a Unix socket is full (unix(7)).
        case .failed(let error) where path != nil && error.code == EAGAIN: .busy
        case .inProgress: .pending
        case .failed(let error): ended(by: error, isLocal: true)
        case nil: .pending
        }
    }

    /// Registers the socket with its loop, once: every change is told, no state twice.
    func register(on loop: EventLoop, token: EventToken) throws(SystemError) {
        guard let number = socket?.number else { return }
        try loop.add(number, [.readable, .writable, .peerClosed, .edgeTriggered], token: token)
    }

    /// Goes on after events of the socket.
    func advance(_ events: EventSet, receivingInto buffer: inout [UInt8]) -> Progress {
        if !isConnected {
            guard !events.isDisjoint(with: [.writable, .hangup, .error]) else { return .pending }
            if let error = socket?.takeError() { return ended(by: error) }
            let progress = talk()
            guard case .pending = progress else { return progress }
        } else if !hasBegun {
            let progress = shakeHands()
            guard case .pending = progress else { return progress }
        } else {
            if let error = flush() { return ended(by: error) }
            if !output.isEmpty {
                let progress = send()
                guard case .pending = progress else { return progress }
            }
        }
        return hasBegun ? receive(into: &buffer) : .pending
    }

    /// The connection is established.
    private func talk() -> Progress {
        isConnected = true
        // A connect to a free local port can meet itself, where the kernel chose the same one for our end (RFC 9293
        // section 3.5, simultaneous open). No process listens there.
        if isStream, path == nil, let local = try? socket?.localAddress(), local == address {
            return .failed(.failure(.refused))
        }
        return shakeHands()
    }

    /// Goes on with the handshake of a session, in which a peer in between may connect the member; then with the
    /// conversation.
    private func shakeHands() -> Progress {
        if let session {
            guard socket != nil else { return .pending }
            switch session.handshake(on: socket!) {
            case .done: break
            case .waiting: return .pending
            case .failed(let result): return .failed(.failure(result))
            case .broken(let error): return ended(by: error)
            }
        }
        hasBegun = true
        if conversation.endsWithConnection { return .passed }
        return send()
    }

    /// Writes what the session owes. Returns what broke the connection.
    private func flush() -> SystemError? {
        guard let session, socket != nil else { return nil }
        return session.flush(to: socket!)
    }

    private func send() -> Progress {
        if isStream, output.isEmpty { return .pending }
        // A datagram is sent once, also an empty one.
        repeat {
            switch write() {
            case .bytes(let count): output = output.dropFirst(count)
            case .wouldBlock, nil: return .pending
            case .failed(let error): return ended(by: error)
            }
        } while !output.isEmpty
        return .pending
    }

    /// Reads until nothing is left, or the conversation is decided; it bounds the bytes and datagrams.
    private func receive(into buffer: inout [UInt8]) -> Progress {
        while true {
            let step: CheckStep
            switch read(into: &buffer) {
            case .bytes(0) where session != nil:
                // Records without data: a ticket or two, and not many.
                emptyReads += 1
                step = emptyReads < Self.maxEmptyReads ? .more : .failed(.malformed)
            case .bytes(let count):
                let bytes = buffer[..<count]
                step = isStream ? conversation.receive(bytes) : conversation.receive(datagram: bytes)
            case .endOfStream:
                if isStream {
                    hasEnded = true
                    step = .failed(conversation.answerAtEnd)
                } else {
                    step = conversation.receive(datagram: [])
                }
            case .wouldBlock, nil: return .pending
            case .failed(let error): return ended(by: error)
            }
            switch step {
            case .more: continue
            case .passed: return .passed
            case .failed(let answer): return .failed(.unexpected(answer))
            }
        }
    }

    private func write() -> WriteResult? {
        guard let session else { return socket?.send(output) }
        guard socket != nil else { return nil }
        return unsafe output.withUnsafeBytes { unsafe session.send($0, to: socket!) }
    }

    private func read(into buffer: inout [UInt8]) -> ReadResult? {
        guard let session else { return socket?.receive(into: &buffer) }
        guard socket != nil else { return nil }
        return unsafe buffer.withUnsafeMutableBytes { unsafe session.receive(into: $0, from: socket!) }
    }

    private func ended(by error: SystemError, isLocal: Bool = false) -> Progress {
        // The session's word for records that break the protocol.
        if session != nil, error.code == EPROTO { return .failed(.failure(.tls)) }
        guard let result = CheckResult(error, isLocal: isLocal) else { return .impossible(error) }
        return .failed(.failure(result))
    }

    /// The outcome where the timeout ends first.
    var timeoutOutcome: CheckOutcome {
        hasBegun ? conversation.timeoutOutcome : .failure(.timeout)
    }

    // MARK: End

    /// Ends the conversation in order, where its protocol is served by that. Returns whether the member's end is still
    /// to be awaited, before the socket may be closed.
    func beginLeaving(receivingInto buffer: inout [UInt8]) -> Bool {
        if session != nil {
            finishSession()
            return hasBegun && !hasEnded && !isLeft(receivingInto: &buffer)
        }
        guard hasBegun, !hasEnded, let farewell = conversation.farewell else { return false }
        if !farewell.isEmpty { _ = socket?.send(farewell[...], more: true) }
        guard (try? socket?.shutdownWriting()) != nil else { return false }
        return !isLeft(receivingInto: &buffer)
    }

    /// Sends what ends the conversation, and then the end of the session, once: in every ending, because a reset behind
    /// a handshake is an error in the logs of servers.
    private func finishSession() {
        guard isConnected, !hasFinished, let session, socket != nil else { return }
        hasFinished = true
        if let farewell = conversation.farewell, !farewell.isEmpty {
            _ = unsafe farewell.withUnsafeBytes { unsafe session.send($0, to: socket!) }
        }
        session.finish(on: socket!)
    }

    /// Whether the member has ended its side, or does not come to an end.
    func isLeft(receivingInto buffer: inout [UInt8]) -> Bool {
        // The rest of the session's end.
        if flush() != nil { return true }
        while bytesDropped < Self.maxLeavingBytes {
            switch socket?.receive(into: &buffer) {
            case .bytes(let count): bytesDropped += count
            case .wouldBlock: return false
            case .endOfStream:
                hasEnded = true
                return true
            case .failed, nil: return true
            }
        }
        return true
    }

    /// Closes the socket. A stream whose member has not ended is reset: that leaves no connection in TIME_WAIT for each
    /// check, of which a thousand members would make twelve thousand.
    func close() {
        finishSession()
        guard let socket = socket.take() else { return }
        if isStream, !hasEnded { socket.closeWithReset() } else { socket.close() }
    }
}

extension Socket {
    fileprivate borrowing func send(_ bytes: ArraySlice<UInt8>, more: Bool = false) -> WriteResult {
        unsafe bytes.withUnsafeBytes { unsafe send($0, more: more) }
    }

    fileprivate borrowing func receive(into buffer: inout [UInt8]) -> ReadResult {
        unsafe buffer.withUnsafeMutableBytes { unsafe receive(into: $0) }
    }
}
