import LinuxIO

/// The attempts of one dial that are under way, each with the socket that it owns. Sockets that are in it at its end are
/// closed. The first attempt takes no memory of its own, because most dials have no other.
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
    /// The tag that was given last. Tags go round, so that an event of this turn for a socket that was just closed does
    /// not find the attempt that came after it.
    private var lastTag = 0

    /// Descriptor tags of an ``EventToken`` that an attempt can have: 1 to 7.
    static let maxCount = 7

    deinit {
        first?.close()
        for attempt in others { attempt.close() }
    }

    var isEmpty: Bool { first == nil && others.isEmpty }

    /// A tag that no attempt has; nil where as many are under way as there are tags.
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

    /// Takes an attempt out; nil where none has this tag.
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

    /// Closes all of them.
    mutating func closeAll() {
        first.take()?.close()
        if others.isEmpty { return }
        for attempt in others { attempt.close() }
        others = []
    }
}

/// An attempt that was taken out of its dial, with its socket.
struct DialAttempt: ~Copyable {
    var socket: Socket
    let address: SocketAddress
    let tag: Int
}
