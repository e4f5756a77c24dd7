/// Predicts from an upstream's last connections whether its ACKs can be delayed until there is data, which saves
/// packets. Confined to the worker.
struct AckHeuristic {
    private var singleResponses = 0
    /// The number of consecutive connections after which the prediction holds.
    private static let requiredStreak = 16

    /// Whether clients send first, and the response arrives in one read with the upstream's end. The final ACK of the
    /// handshake can then go with the request, and the ACK of the response with the relay's end.
    ///
    /// A delayed handshake also makes the kernel delay later ACKs. An upstream that writes its response in pieces would
    /// then wait 40 ms (Nagle's algorithm and delayed ACKs), and one that resets after a long response would discard
    /// what the window had no room for. Only upstreams with this history opt in.
    var expectsSingleResponse: Bool { singleResponses >= Self.requiredStreak }

    /// Records the first read of a response: whether it followed a request, and whether the end came with it.
    mutating func noteResponse(isAsked: Bool, withEnd: Bool) {
        if !isAsked || !withEnd {
            singleResponses = 0
        } else if singleResponses < Self.requiredStreak {
            singleResponses += 1
        }
    }
}
