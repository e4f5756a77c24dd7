/// The replies that the upstream still owes a session: ``UDPSettings/responses`` for each datagram that was sent to it,
/// one where the route does not say.
///
/// A reply that was received is paid, also where it is dropped on its way to the client: it does not come again.
struct OwedReplies {
    private(set) var count: UInt64 = 0

    var isZero: Bool { count == 0 }

    /// Adds the replies to datagrams that the kernel took.
    mutating func add(questions: Int, repliesEach: Int?) {
        let added = UInt64(questions).multipliedReportingOverflow(by: UInt64(max(1, repliesEach ?? 1)))
        let sum = count.addingReportingOverflow(added.partialValue)
        count = added.overflow || sum.overflow ? .max : sum.partialValue
    }

    /// Takes received replies off, and returns how many of them were owed.
    mutating func pay(_ received: Int) -> Int {
        let paid = Int(min(count, UInt64(received)))
        count -= UInt64(paid)
        return paid
    }

    /// Forgets the replies of an upstream that the session has left.
    mutating func forget() { count = 0 }
}
