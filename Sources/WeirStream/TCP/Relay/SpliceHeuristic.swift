/// Whether a direction's bytes are copied or spliced. Splicing costs a call more for each piece, and saves two copies: it
/// pays for a flow that fills the buffers again and again.
///
/// One byte, because every connection has two: below ``spliceThreshold`` it counts reads in a row that filled the buffer,
/// from there on small pieces in a row; its largest value says that the sockets cannot be spliced.
struct SpliceHeuristic {
    private var state: UInt8 = 0

    /// Reads in a row that fill the buffer before the next ones are spliced.
    private static let spliceThreshold: UInt8 = 4
    /// Small pieces in a row before the next ones are copied.
    private static let maxSmallPieces: UInt8 = 3
    private static let smallPieceByteCount = 32 << 10
    private static let never = UInt8.max

    var prefersSplice: Bool { state >= Self.spliceThreshold && state != Self.never }

    /// Notes a read of `count` bytes of at most `limit`.
    mutating func noteRead(_ count: Int, limit: Int) {
        guard state < Self.spliceThreshold else { return }
        state = count == limit && limit >= Self.smallPieceByteCount ? state + 1 : 0
    }

    /// Notes a spliced piece.
    mutating func notePiece(_ count: Int) {
        guard prefersSplice else { return }
        state = count < Self.smallPieceByteCount ? state + 1 : Self.spliceThreshold
        if state == Self.spliceThreshold + Self.maxSmallPieces { state = 0 }
    }

    /// Notes that these sockets cannot be spliced.
    mutating func forbid() { state = Self.never }
}
