/// How many bytes of pages a connection may write before others have their turn.
extension ExporterServer {
    /// Bytes of pages in one turn, the least of each connection excluded; half of it is for whole pages.
    private static let pageBytesPerTurn = 8 * 1024 * 1024
    private static let mostOfScrape = 4 * 1024 * 1024
    private static let mostOfPart = 512 * 1024
    /// Always, so that none starves however many there are.
    private static let least = 64 * 1024

    /// The bytes that a connection may write now.
    func writeBudget(isScrape: Bool) -> Int {
        let kept = isScrape ? 0 : Self.mostOfScrape
        let rest = Self.pageBytesPerTurn - kept - pageBytesWritten
        return max(Self.least, min(rest, isScrape ? Self.mostOfScrape : Self.mostOfPart))
    }

    /// Counts bytes of a page. `isMore` says that the client would have taken more.
    func noteWritten(_ count: Int, isScrape: Bool, isMore: Bool) {
        pageBytesWritten += count
        if isScrape, isMore { isScrapeUnderway = true }
        deferTurnEnd()
    }
}
