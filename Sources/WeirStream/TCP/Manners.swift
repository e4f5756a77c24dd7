/// How the connections to an upstream have gone so far, as far as that saves the next ones packets. Confined to the worker.
struct Manners {
    private var singleAnswers = 0
    /// So many connections in a row make a habit.
    private static let habit = 16

    /// Whether clients speak first, and the answer comes in one piece with the upstream's end. Then the ACK that ends the
    /// handshake can go with the question, and the ACK of the answer with our end.
    ///
    /// The kernel takes a handshake that waits for a conversation in which ACKs may be late. An upstream that writes its
    /// answer in pieces with Nagle's algorithm on would stand for 40 ms, and one that resets behind a long answer would
    /// throw away what the window had no room for: so nobody else's ACKs wait.
    var givesSingleAnswers: Bool { singleAnswers >= Self.habit }

    /// The first read of an answer came: behind a question or unasked, with the end or without.
    mutating func answered(isAsked: Bool, withEnd: Bool) {
        if !isAsked || !withEnd { singleAnswers = 0 } else if singleAnswers < Self.habit { singleAnswers += 1 }
    }
}
