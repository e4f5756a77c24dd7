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
        for format in ExpositionFormat.allCases where awaitingPage.contains(where: { $0.asks(for: format) }) {
            guard makeRoomForPages() else { break }
            render(format)
        }
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

    private func render(_ format: ExpositionFormat) {
        let clients = awaitingPage.filter { $0.asks(for: format) }
        awaitingPage.removeAll { $0.asks(for: format) }
        let start = clock.nanoseconds
        pageBytes.removeAll(keepingCapacity: true)
        let series = page.render(format, into: &pageBytes)
        // Compressed first: the plain bytes then move into their own page without being copied.
        let compressed = clients.contains { $0.asks(for: format, .gzip) } ? compress() : nil
        let plain =
            compressed == nil || clients.contains { $0.asks(for: format, .identity) } ? takePlain() : nil
        let end = clock.nanoseconds
        for client in clients {
            observer?.pageMade(format, nanoseconds: end - min(start, end), series: series)
            if client.asks(for: format, .gzip), let compressed {
                client.answer(compressed, format, .gzip)
            } else if let plain {
                client.answer(plain, format, .identity)
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
    fileprivate func asks(for format: ExpositionFormat, _ encoding: ContentEncoding? = nil) -> Bool {
        guard phase == .awaitingPage, case .page(format, let wanted) = plan.action else { return false }
        return encoding == nil || encoding == wanted
    }
}
