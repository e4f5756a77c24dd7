/// How the connections to an upstream have gone so far, as far as that saves the next ones packets. Confined to the worker.
struct Manners {
    private var clientFirst = 0
    private var singleAnswers = 0
    /// The upstream has spoken first. It is reached by the ACK that ends the handshake, so once settles it for good.
    private(set) var isUpstreamFirst = false
    /// So many connections in a row make a habit.
    private static let habit = 16

    /// Whether the ACK that ends the handshake may wait for the client's first bytes for as long as the kernel allows,
    /// 200 ms.
    var isClientFirst: Bool { !isUpstreamFirst && clientFirst >= Self.habit }

    /// Whether the answer is likely to come in one piece with the upstream's end: its ACK can then go with ours.
    var givesSingleAnswers: Bool { isClientFirst && singleAnswers >= Self.habit }

    /// The first bytes of a connection came.
    mutating func spoke(_ direction: Direction) {
        if direction == .egress { isUpstreamFirst = true } else if clientFirst < Self.habit { clientFirst += 1 }
    }

    /// The first read of an answer came, with the end or without.
    mutating func answered(withEnd: Bool) {
        if !withEnd { singleAnswers = 0 } else if singleAnswers < Self.habit { singleAnswers += 1 }
    }
}
