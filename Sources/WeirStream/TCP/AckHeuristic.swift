/// Predicts from an upstream's last connections whether ACKs can wait for data to go with, which saves packets. Confined
/// to the worker.
struct AckHeuristic {
    private var singleResponses = 0
    /// Connections in a row after which the prediction holds.
    private static let requiredStreak = 16

    /// Whether clients speak first, and the response comes in one piece with the upstream's end. Then the ACK that ends the
    /// handshake can go with the request, and the ACK of the response with our end.
    ///
    /// The kernel takes a connection whose handshake waits for a conversation in which ACKs may be late. An upstream that
    /// writes its response in pieces would be delayed 40 ms by Nagle's algorithm and delayed ACKs, and one that resets
    /// behind a long response would throw away what the window had no room for: only upstreams with this history opt in.
    var expectsSingleResponse: Bool { singleResponses >= Self.requiredStreak }

    /// Notes the first read of a response: whether it followed a request, and whether the end came with it.
    mutating func noteResponse(isAsked: Bool, withEnd: Bool) {
        if !isAsked || !withEnd {
            singleResponses = 0
        } else if singleResponses < Self.requiredStreak {
            singleResponses += 1
        }
    }
}
