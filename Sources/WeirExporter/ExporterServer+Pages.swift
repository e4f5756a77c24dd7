import LinuxIO
import WeirMetrics

extension ExporterServer {
    /// How soon stalled readers are looked at again, where all pages are in flight.
    private static let retryNanoseconds: UInt64 = 250_000_000

    /// Has a page made for a connection at the end of this turn. Then every request of the turn has been read, so that
    /// one rendering serves them all, and none gets a page that is older than its request.
    func awaitPage(_ connection: ClientConnection) {
        awaitingPage.append(connection)
        deferRendering()
    }

    private func deferRendering() {
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

    func renderPages() {
        isRenderingDeferred = false
        loop.cancel(&renderRetry)
        awaitingPage.removeAll { $0.phase != .awaitingPage }
        guard !awaitingPage.isEmpty else { return }
        while let wanted = awaitingPage.first?.wantedPage, makeRoomForPages() { render(wanted) }
        if !awaitingPage.isEmpty, renderRetry.isNone, let token {
            renderRetry = loop.schedule(after: Self.retryNanoseconds, token: token)
        }
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
    fileprivate var wantedPage: PageRequest? {
        guard phase == .awaitingPage, case .page(let wanted, _) = plan.action else { return nil }
        return wanted
    }

    fileprivate var takesGzip: Bool {
        guard case .page(_, .gzip) = plan.action else { return false }
        return true
    }
}
