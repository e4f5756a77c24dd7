/// Decides whether a direction's bytes are copied or spliced (splice(2)). Splicing costs one call more per piece and
/// saves two copies: it pays for a flow that repeatedly fills the buffer.
///
/// One byte, because every connection has two. Below ``spliceThreshold`` it counts consecutive reads that filled the
/// buffer, from there on consecutive small pieces. The maximum means that the sockets cannot be spliced.
struct SpliceHeuristic {
    private var state: UInt8 = 0

    /// The number of consecutive reads that fill the buffer before the next ones are spliced.
    private static let spliceThreshold: UInt8 = 4
    /// The number of consecutive small pieces before the next ones are copied.
    private static let maxSmallPieces: UInt8 = 3
    private static let smallPieceByteCount = 32 << 10
    private static let never = UInt8.max

    var prefersSplice: Bool { state >= Self.spliceThreshold && state != Self.never }

    /// Records a read of `count` bytes of at most `limit`.
    mutating func noteRead(_ count: Int, limit: Int) {
        guard state < Self.spliceThreshold else { return }
        state = count == limit && limit >= Self.smallPieceByteCount ? state + 1 : 0
    }

    /// Records a spliced piece.
    mutating func notePiece(_ count: Int) {
        guard prefersSplice else { return }
        state = count < Self.smallPieceByteCount ? state + 1 : Self.spliceThreshold
        if state == Self.spliceThreshold + Self.maxSmallPieces { state = 0 }
    }

    /// Records that these sockets cannot be spliced.
    mutating func forbid() { state = Self.never }
}
