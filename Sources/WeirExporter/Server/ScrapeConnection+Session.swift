import LinuxIO

// The bytes of a connection, plain or through its session.

extension ScrapeConnection {
    /// The most bytes that one call gives to a session: the unit in which the progress of its reader is seen.
    private static let maxSessionBytes = 64 * 1024

    // MARK: Handshake

    /// Takes a turn in the queue of handshakes.
    func awaitHandshakeStep() {
        guard !awaitsStep, let token else { return }
        awaitsStep = true
        server.handshakes.append(token)
    }

    /// Performs the step whose turn has come.
    func stepHandshake() {
        awaitsStep = false
        guard phase == .handshaking, let session, socket != nil else { return }
        switch session.handshake(on: socket!) {
        case .waiting: listen(for: session.hasPendingOutput ? [.readable, .writable] : .readable)
        case .yielded: awaitHandshakeStep()
        case .failed, .refused:
            // The session may have told the reason to the client, and a reset could overtake it.
            self.session = nil
            finishForGood()
        case .unused, .broken: close()
        case .done, .doneUnlessRefused:
            if session.hasPeerCertificate { lacksCertificate = false }
            phase = .awaitingHead
            waitingSince = server.loop.now
            setDeadline(after: server.limits.headTimeout)
            listen(for: .readable)
            if phase == .awaitingHead { readHead() }
        }
    }

    // MARK: Bytes

    /// Receives bytes; none where a call did work that gave none.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        guard socket != nil else { return .endOfStream }
        guard let session else { return unsafe socket?.receive(into: buffer) ?? .endOfStream }
        let result = unsafe session.receive(into: buffer, from: socket!)
        mayHoldInput = if case .bytes = result { true } else { false }
        return result
    }

    /// Reads again in the next turn where bytes may wait in the session.
    func readOn() {
        if mayHoldInput, let token { server.loop.defer(token) }
    }

    /// Sends bytes of an answer.
    func send(_ bytes: UnsafeRawBufferPointer) -> WriteResult {
        guard socket != nil else { return .wouldBlock }
        guard let session else { return unsafe socket?.send(bytes) ?? .wouldBlock }
        let count = min(bytes.count, Self.maxSessionBytes)
        return unsafe session.send(UnsafeRawBufferPointer(rebasing: bytes[..<count]), to: socket!)
    }

    /// Writes what the session holds. False where the socket takes no more of it, or the connection is closed.
    func flushSession() -> Bool {
        guard let session, session.hasPendingOutput, socket != nil else { return true }
        if session.flush(to: socket!) != nil {
            close()
            return false
        }
        guard session.hasPendingOutput else {
            if case .lingering = phase { listen(for: .readable) }
            return true
        }
        if case .lingering = phase { listen(for: [.readable, .writable]) } else { listen(for: .writable) }
        return false
    }

    /// Tells a client that speaks TLS that the end is one.
    func finishSession() {
        guard let session, socket != nil else { return }
        session.finishWriting(on: socket!)
    }

    /// Ends our side.
    /// - Throws: where the connection is gone.
    func finishWriting() throws(SystemError) {
        if session != nil { return finishSession() }
        try socket?.shutdownWriting()
    }
}
