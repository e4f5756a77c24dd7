import LinuxIO

/// The attempts of one dial that are in progress, each with the socket that it owns. The deinitializer closes the
/// remaining sockets. The first attempt needs no allocation, because most dials have no other.
struct DialAttempts: ~Copyable {
    private struct Attempt {
        let number: CInt
        let family: Socket.Family
        let tag: Int
        let address: SocketAddress

        func close() { FileDescriptor(adopting: number).close() }
    }

    private var first: Attempt?
    private var others: [Attempt] = []
    /// The last tag. Tags rotate, so that an event of this turn for a closed socket does not find the next attempt.
    private var lastTag = 0

    /// The highest descriptor tag of an ``EventToken`` for an attempt; the lowest is 1.
    static let maxCount = 7

    deinit {
        first?.close()
        for attempt in others { attempt.close() }
    }

    var isEmpty: Bool { first == nil && others.isEmpty }

    /// Returns a tag that no attempt has; nil where every tag is in use.
    mutating func takeTag() -> Int? {
        for step in 0..<Self.maxCount {
            let tag = (lastTag + step) % Self.maxCount + 1
            if first?.tag == tag || others.contains(where: { $0.tag == tag }) { continue }
            lastTag = tag
            return tag
        }
        return nil
    }

    mutating func insert(_ socket: consuming Socket, to address: SocketAddress, tag: Int) {
        let family = socket.family
        let attempt = Attempt(number: socket.release(), family: family, tag: tag, address: address)
        if first == nil { first = attempt } else { others.append(attempt) }
    }

    /// Removes and returns the attempt with this tag, if any.
    mutating func remove(tag: Int) -> DialAttempt? {
        let attempt: Attempt
        if let found = first, found.tag == tag {
            attempt = found
            first = nil
        } else if let index = others.firstIndex(where: { $0.tag == tag }) {
            attempt = others.remove(at: index)
        } else {
            return nil
        }
        return DialAttempt(
            socket: Socket(adopting: attempt.number, family: attempt.family), address: attempt.address, tag: tag)
    }

    /// Closes all sockets.
    mutating func closeAll() {
        first.take()?.close()
        if others.isEmpty { return }
        for attempt in others { attempt.close() }
        others = []
    }
}

/// An attempt that was removed from its dial, with its socket.
struct DialAttempt: ~Copyable {
    var socket: Socket
    let address: SocketAddress
    let tag: Int
}
