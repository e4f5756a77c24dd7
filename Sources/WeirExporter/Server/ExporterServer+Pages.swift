import LinuxIO

extension ExporterServer {
    /// How soon stalled readers are looked at again, where all pages are in flight.
    private static let retryNanoseconds: UInt64 = 250_000_000
    /// How many whole pages come before a part has its turn.
    private static let wholePagesInARow = 3
    /// Plain bytes that are compressed in one turn: about 2 ms.
    private static let bytesPerCompression = 256 * 1024
    /// Between the beginnings of two documents: however many browsers are open, five a second are made, and shared.
    private static let documentPause: UInt64 = 200_000_000
    /// How many clients wait for the next document, which has what they asked for; further ones get the last one.
    private static let maxAwaitingDocument = 8
    /// How many turns in a row a part waits for a whole page that is being written.
    private static let maxPostponedTurns = 16

    /// Has a page made for a connection, at the end of this turn or later where others are first. Then every request of
    /// the turn has been read, so that one rendering serves all who want the same, and none gets a page that is older
    /// than its request.
    func awaitPage(_ connection: ScrapeConnection) {
        awaitingPage.append(connection)
        deferTurnEnd()
    }

    func deferTurnEnd() {
        guard !isTurnEndDeferred, let token else { return }
        isTurnEndDeferred = true
        loop.defer(token)
    }

    func retain(_ page: PageBody) {
        pagePool.addReader(page)
    }

    /// Counts bytes of a page that a connection wrote. `isMore` says that its client would have taken more.
    func noteWritten(_ count: Int, isScrape: Bool, isMore: Bool) {
        writeBudget.note(count, isScrape: isScrape, isMore: isMore)
        deferTurnEnd()
    }

    func release(_ page: PageBody) {
        pagePool.removeReader(page)
        if !awaitingPage.isEmpty { deferTurnEnd() }
    }

    /// The end of the turn: a new budget for writing, and one step of a page where none was made before.
    func endTurn() {
        isTurnEndDeferred = false
        writeBudget.renew()
        if !hasSteppedEarly { stepRendering() }
        hasSteppedEarly = false
        writeBudget.endTurn()
        if rendering != nil || !awaitingPage.isEmpty && renderRetry.isNone { deferTurnEnd() }
    }

    /// Makes this turn's step before its end: a small page is done with it, and its readers make room.
    /// - Returns: false where the step was made.
    func stepEarly() -> Bool {
        guard isTurnEndDeferred, !hasSteppedEarly else { return false }
        hasSteppedEarly = true
        stepRendering()
        return true
    }

    /// One step of the page that is being made, or of the next one. The rest waits for later turns, so that what is
    /// asked meanwhile and needs no page, such as `/healthz`, waits for one step at most.
    private func stepRendering() {
        guard var current = rendering ?? nextRendering() else { return }
        rendering = nil
        guard !current.waiting.isEmpty else {
            if current.series == nil { drop(current.wanted) }
            if let compressed = current.compressed { release(compressed) }
            return
        }
        current.steps += 1
        let start = clock.nanoseconds
        let isComplete = step(&current)
        let end = clock.nanoseconds
        current.nanoseconds += end - min(start, end)
        if isComplete { answer(current) } else { rendering = current }
    }

    /// - Returns: whether the page is complete.
    private func step(_ current: inout PageRendering) -> Bool {
        if current.series == nil {
            current.series = appendPiece(of: current.wanted)
            guard current.series != nil else { return false }
            // From here on its clients are known, but for those that leave.
            guard current.waiting.contains(where: { $0.takesGzip }), gzip.begin() else { return true }
            let body = pagePool.acquire()
            retain(body)
            current.compressed = body
            if pageBytes.count > Self.bytesPerCompression { return false }
        }
        guard let body = current.compressed else { return true }
        let isComplete = gzip.compress(
            pageBytes, &current.compression, atMost: Self.bytesPerCompression, into: &body.storage)
        body.count = current.compression.produced
        guard isComplete == nil else { return isComplete == true }
        // zlib has no memory: plain must do.
        release(body)
        current.compressed = nil
        return true
    }

    private func answer(_ made: PageRendering) {
        let clients = Array(made.waiting)
        let (contentType, compressed) = (made.wanted.contentType, made.compressed)
        let plain = compressed == nil || clients.contains { !$0.takesGzip } ? takePlain() : nil
        for client in clients {
            if case .metrics(let request) = made.wanted {
                observer?.pageMade(
                    request.format, nanoseconds: made.nanoseconds, series: made.wanted.isScrape ? made.series : nil)
            }
            if client.takesGzip, let compressed {
                client.answer(compressed, contentType: contentType, .gzip)
            } else if let plain {
                client.answer(plain, contentType: contentType, .identity)
            }
        }
        if made.wanted == .status { keepDocument([(plain, .identity), (compressed, .gzip)]) }
        if let compressed { release(compressed) }
        if let plain { release(plain) }
    }

    // MARK: Pages and documents

    /// Keeps a document that was made, in the codings that were asked for, in place of the one before; none of them
    /// for no coding.
    private func keepDocument(_ made: [(body: PageBody?, coding: ContentEncoding)]) {
        let earlier = lastDocument
        lastDocument = made.compactMap { body, coding in body.map { ($0, coding) } }
        for (body, _) in lastDocument { retain(body) }
        for (body, _) in earlier { release(body) }
    }

    /// Gives the last document, which is younger than ``documentPause``, to all but the first of many that wait for the
    /// next one: connections are few, and one that waits cannot serve another client.
    private func answerCrowd() {
        guard loop.now < nextDocument, !lastDocument.isEmpty, awaitingPage.count > Self.maxAwaitingDocument else {
            return
        }
        let crowd = awaitingPage.filter { $0.wantedPage == .status }.dropFirst(Self.maxAwaitingDocument)
        for client in crowd {
            let coding = client.takesGzip ? ContentEncoding.gzip : .identity
            guard let kept = lastDocument.first(where: { $0.coding == coding }) else { continue }
            client.answer(kept.body, contentType: WantedPage.status.contentType, coding)
        }
        awaitingPage.removeAll { $0.phase != .awaitingPage }
    }

    private func begin(_ wanted: WantedPage) {
        switch wanted {
        case .metrics(let request): page.begin(request.format, filter: request.filter)
        case .status:
            nextDocument = loop.now + Self.documentPause
            document?.begin()
        }
    }

    /// - Returns: the number of the page's series lines once it is complete; 0 of a document.
    private func appendPiece(of wanted: WantedPage) -> Int? {
        switch wanted {
        case .metrics: page.appendPiece(to: &pageBytes)
        case .status: document?.appendPiece(to: &pageBytes) ?? true ? 0 : nil
        }
    }

    /// Gives up what was begun and is not complete.
    func drop(_ wanted: WantedPage) {
        switch wanted {
        case .metrics: page.drop()
        case .status: document?.drop()
        }
    }

    private func takePlain() -> PageBody {
        let body = pagePool.acquire()
        retain(body)
        swap(&body.storage, &pageBytes)
        body.count = body.storage.count
        return body
    }

    // MARK: Turns

    /// The next page, begun; nil where there is none to make, or it has to wait.
    private func nextRendering() -> PageRendering? {
        loop.cancel(&renderRetry)
        awaitingPage.removeAll { $0.phase != .awaitingPage }
        answerCrowd()
        guard let next = nextClient(), let wanted = next.wantedPage else {
            // Only documents are wanted, and it is too early for one.
            if !awaitingPage.isEmpty { retry(after: nextDocument - min(loop.now, nextDocument)) }
            return nil
        }
        if !wanted.isScrape, writeBudget.isScrapeUnderway, postponedTurns < Self.maxPostponedTurns {
            postponedTurns += 1
            return nil
        }
        guard resetStalledReadersIfFull() else {
            retry(after: Self.retryNanoseconds)
            return nil
        }
        postponedTurns = 0
        noteTurn(of: next.source, isPart: !wanted.isScrape)
        let clients = awaitingPage.filter { $0.wantedPage == wanted }
        awaitingPage.removeAll { $0.wantedPage == wanted }
        pageBytes.removeAll(keepingCapacity: true)
        begin(wanted)
        return PageRendering(wanted: wanted, clients: clients)
    }

    private func retry(after nanoseconds: UInt64) {
        if let token { renderRetry = loop.schedule(afterNanoseconds: nanoseconds, token: token) }
    }

    /// Whole pages before parts: there are as many as formats, however many clients ask, and a scraper wants one. A
    /// part has its turn after ``wholePagesInARow`` of them. Among equals the source is next whose last turn is longest
    /// ago, and of its requests the oldest.
    private func nextClient() -> ScrapeConnection? {
        let isPart = wholePages >= Self.wholePagesInARow
        return nextClient(ofParts: isPart) ?? nextClient(ofParts: !isPart)
    }

    private func nextClient(ofParts isPart: Bool) -> ScrapeConnection? {
        var next: ScrapeConnection?
        for client in awaitingPage {
            guard let wanted = client.wantedPage, wanted.isScrape != isPart,
                wanted != .status || loop.now >= nextDocument
            else { continue }
            guard let best = next, lastRendering[best.source, default: 0] <= lastRendering[client.source, default: 0]
            else {
                next = client
                continue
            }
        }
        return next
    }

    private func noteTurn(of source: ClientSource, isPart: Bool) {
        wholePages = isPart ? 0 : wholePages + 1
        renderings += 1
        lastRendering[source] = renderings
        // Sources that are gone owe nothing: the table is as small as that of connections.
        if lastRendering.count > limits.connections {
            let present = Set(connections.map(\.source))
            lastRendering = lastRendering.filter { present.contains($0.key) }
        }
    }

    /// Whether two pages are free: a rendering takes two at most, plain and compressed. If they are not, the last
    /// document gives way, and then readers that have stopped lose theirs.
    private func resetStalledReadersIfFull() -> Bool {
        if pagePool.hasRoom(for: 2) { return true }
        keepDocument([])
        if pagePool.hasRoom(for: 2) { return true }
        for connection in connections where connection.page != nil && connection.isStalled { connection.reset() }
        return pagePool.hasRoom(for: 2)
    }
}
