import LinuxIO
import WeirMetrics

extension ExporterServer {
    /// How soon stalled readers are looked at again, where all pages are in flight.
    private static let retryNanoseconds: UInt64 = 250_000_000
    /// How many whole pages come before a part has its turn.
    private static let wholePagesInARow = 3

    /// Has a page made for a connection at the end of this turn, or of a later one where others are first. Then every
    /// request of the turn has been read, so that one rendering serves all who want the same, and none gets a page that is
    /// older than its request.
    func awaitPage(_ connection: ClientConnection) {
        awaitingPage.append(connection)
        deferRendering()
    }

    func deferRendering() {
        guard !isRenderingDeferred, let token else { return }
        isRenderingDeferred = true
        loop.defer(token)
    }

    func retain(_ page: PageBody) {
        shelf.addReader(page)
    }

    func release(_ page: PageBody) {
        shelf.removeReader(page)
        if !awaitingPage.isEmpty { deferRendering() }
    }

    /// Makes one page, the next in turn. The others wait for later turns, so that what is asked meanwhile and needs no
    /// page, such as `/healthz`, waits for one rendering at most.
    func renderNextPage() {
        loop.cancel(&renderRetry)
        awaitingPage.removeAll { $0.phase != .awaitingPage }
        guard let wanted = nextPage() else { return }
        if makeRoomForPages() {
            render(wanted)
            if !awaitingPage.isEmpty { deferRendering() }
        } else if let token {
            renderRetry = loop.schedule(afterNanoseconds: Self.retryNanoseconds, token: token)
        }
    }

    /// The end of the turn: makes its page, where that was not done before.
    func endTurn() {
        isRenderingDeferred = false
        guard hasRenderedEarly else { return renderNextPage() }
        hasRenderedEarly = false
        if !awaitingPage.isEmpty { deferRendering() }
    }

    /// Makes the page of this turn before its end, so that its readers make room.
    /// - Returns: false where there is none to make, or it was made.
    func renderEarly() -> Bool {
        guard isRenderingDeferred, !hasRenderedEarly else { return false }
        hasRenderedEarly = true
        renderNextPage()
        return true
    }

    /// Whole pages before parts: there are as many as formats, however many clients ask, and a scraper wants one. A part
    /// has its turn after ``wholePagesInARow`` of them. Among equals the source is next whose last turn is longest ago, and
    /// of its requests the oldest.
    private func nextPage() -> PageRequest? {
        let isPart = wholePages >= Self.wholePagesInARow
        guard
            let next = nextClient(ofParts: isPart) ?? nextClient(ofParts: !isPart), let wanted = next.wantedPage
        else { return nil }
        wholePages = wanted.filter == nil ? wholePages + 1 : 0
        renderings += 1
        lastRendering[next.source] = renderings
        // Sources that are gone owe nothing: the table is as small as that of connections.
        if lastRendering.count > limits.connections {
            let present = Set(connections.map(\.source))
            lastRendering = lastRendering.filter { present.contains($0.key) }
        }
        return wanted
    }

    private func nextClient(ofParts isPart: Bool) -> ClientConnection? {
        var next: ClientConnection?
        for client in awaitingPage where (client.wantedPage?.filter != nil) == isPart {
            guard let best = next, lastRendering[best.source, default: 0] <= lastRendering[client.source, default: 0]
            else {
                next = client
                continue
            }
        }
        return next
    }

    /// A rendering takes two at most, plain and compressed. Readers that have stopped give theirs up.
    private func makeRoomForPages() -> Bool {
        if shelf.hasRoom(for: 2) { return true }
        for connection in connections where connection.page != nil && connection.isStalled { connection.reset() }
        return shelf.hasRoom(for: 2)
    }

    private func render(_ wanted: PageRequest) {
        let clients = awaitingPage.filter { $0.wantedPage == wanted }
        awaitingPage.removeAll { $0.wantedPage == wanted }
        let start = clock.nanoseconds
        pageBytes.removeAll(keepingCapacity: true)
        let series = page.render(wanted.format, filter: wanted.filter, into: &pageBytes)
        // Compressed first: the plain bytes then move into their own page without being copied.
        let compressed = clients.contains { $0.takesGzip } ? compress() : nil
        let plain =
            compressed == nil || clients.contains { !$0.takesGzip } ? takePlain() : nil
        let end = clock.nanoseconds
        for client in clients {
            observer?.pageMade(
                wanted.format, nanoseconds: end - min(start, end), series: wanted.filter == nil ? series : nil)
            if client.takesGzip, let compressed {
                client.answer(compressed, wanted.format, .gzip)
            } else if let plain {
                client.answer(plain, wanted.format, .identity)
            }
        }
        if let compressed { release(compressed) }
        if let plain { release(plain) }
    }

    /// The page compressed, held by us until everyone has it; nil where zlib has no memory, and plain must do.
    private func compress() -> PageBody? {
        let body = shelf.take()
        retain(body)
        if let count = gzip.compress(pageBytes, into: &body.storage) {
            body.count = count
            return body
        }
        release(body)
        return nil
    }

    private func takePlain() -> PageBody {
        let body = shelf.take()
        retain(body)
        swap(&body.storage, &pageBytes)
        body.count = body.storage.count
        return body
    }
}

extension ClientConnection {
    /// The page that it waits for.
    var wantedPage: PageRequest? {
        guard phase == .awaitingPage, case .page(let wanted, _) = plan.action else { return nil }
        return wanted
    }

    fileprivate var takesGzip: Bool {
        guard case .page(_, .gzip) = plan.action else { return false }
        return true
    }
}
