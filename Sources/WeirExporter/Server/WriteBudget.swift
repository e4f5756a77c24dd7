/// The bytes of pages that connections may write in one turn, so that a fast reader of a large page does not keep the
/// others waiting.
struct WriteBudget {
    /// Bytes of pages in one turn, the least of each connection excluded; half of it is for whole pages.
    private static let bytesPerTurn = 8 * 1024 * 1024
    private static let maxScrapeBytes = 4 * 1024 * 1024
    private static let maxPartBytes = 512 * 1024
    /// Always, so that none starves however many there are.
    private static let minBytes = 64 * 1024

    /// Bytes of pages that were written in this turn.
    private var written = 0
    /// Whether a whole page was written in this turn, and its client would have taken more.
    private(set) var isScrapeUnderway = false

    /// The bytes that a connection may write now.
    func limit(isScrape: Bool) -> Int {
        let kept = isScrape ? 0 : Self.maxScrapeBytes
        let rest = Self.bytesPerTurn - kept - written
        return max(Self.minBytes, min(rest, isScrape ? Self.maxScrapeBytes : Self.maxPartBytes))
    }

    /// Counts bytes of a page. `isMore` says that the client would have taken more.
    mutating func note(_ count: Int, isScrape: Bool, isMore: Bool) {
        written += count
        if isScrape, isMore { isScrapeUnderway = true }
    }

    /// The bytes of the next turn.
    mutating func renew() { written = 0 }

    /// The turn has made its step: whole pages that are written later count for the next one.
    mutating func endTurn() { isScrapeUnderway = false }
}
