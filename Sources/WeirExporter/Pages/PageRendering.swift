/// A page that is being made, a piece in each turn. It is for the clients that asked before it began: a later
/// request gets values that were read later.
struct PageRendering {
    let wanted: WantedPage
    let clients: [ScrapeConnection]
    /// Turns that it has taken.
    var steps = 0
    /// Time that it has taken in them.
    var nanoseconds: UInt64 = 0
    /// Its series lines, once it is rendered; 0 of what has none.
    var series: Int?
    /// The page compressed, as far as it is; nil before, and where no client takes it.
    var compressed: PageBody?
    var compression = GzipStream.Progress()

    /// Clients that have not gone away meanwhile.
    var waiting: some Collection<ScrapeConnection> { clients.lazy.filter { $0.phase == .awaitingPage } }
}

extension ScrapeConnection {
    /// The page that it waits for.
    var wantedPage: WantedPage? {
        guard phase == .awaitingPage, case .page(let wanted, _) = plan.action else { return nil }
        return wanted
    }

    var takesGzip: Bool {
        guard case .page(_, .gzip) = plan.action else { return false }
        return true
    }

    /// Whether its answer is the whole page: what scrapers ask for.
    var isScrape: Bool {
        guard case .page(let wanted, _) = plan.action else { return false }
        return wanted.isScrape
    }
}
