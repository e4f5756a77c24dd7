import LinuxIO

extension ScrapeConnection {
    /// Carries out the plan of the request, once it is known that the client may have the answer.
    func answer() {
        if plan.needsCredentials, !isAuthorized() { return }
        switch plan.action {
        case .page(.status, _) where server.document == nil: answer(refusing: .notFound)
        case .page:
            phase = .awaitingPage
            setDeadline(after: server.limits.writeTimeout)
            listen(for: [])
            // `listen` closes a connection that epoll does not know any more.
            if phase == .awaitingPage { server.awaitPage(self) }
        case .other(let request): awaitAnswer(to: request)
        case .health: answer(server.health.health())
        case .readiness: answer(server.health.readiness())
        case .index(let encoding): answerStart(encoding)
        case .refuse(let status): answer(refusing: status, plan.explanation)
        }
    }

    private func awaitAnswer(to request: PathRequest) {
        phase = .awaitingAnswer
        setDeadline(after: server.limits.writeTimeout)
        listen(for: .peerClosed)
        if phase == .awaitingAnswer { server.ask(request, for: self) }
    }

    /// Answers the request that another module was asked for.
    func answer(_ answer: PathAnswer?) {
        guard phase == .awaitingAnswer else { return }
        switch answer {
        case nil: self.answer(.notFound, ResponseHead.plainText, "404 Not Found\n")
        case .page(let status, let contentType, let body): self.answer(status, contentType, body)
        case .silence(let contentType): beginSilence(contentType)
        }
    }

    /// Sends the head of a page in pieces (RFC 9112 section 7.1), of which none comes.
    private func beginSilence(_ contentType: String) {
        var head = ResponseHead(status: .ok, contentType: contentType, contentLength: nil)
        head.persistence = .silent
        server.observer?.requestAnswered(.ok)
        var bytes: [UInt8] = []
        head.append(to: &bytes)
        guard case .bytes(bytes.count) = unsafe bytes.withUnsafeBytes({ unsafe socket?.send($0) }) else {
            return close()
        }
        phase = .silent
        waitingSince = server.loop.now
        clearDeadline()
        listen(for: .peerClosed)
    }

    private func answer(refusing status: HTTPStatus, _ explanation: String? = nil) {
        let text = explanation ?? "\(status.rawValue) \(status.reason)"
        answer(status, ResponseHead.plainText, text + "\n")
    }

    /// Answers with the page at `/`.
    private func answerStart(_ encoding: ContentEncoding) {
        let (body, coding) = server.startPage.body(encoding)
        var head = ResponseHead(
            status: .ok, contentType: ResponseHead.html, contentLength: body.count, encoding: coding,
            isNegotiated: true)
        head.policy = server.startPage.policy
        write(head)
        if plan.sendsBody { output.append(contentsOf: body) }
        flush()
    }

    private func answer(_ state: HealthState) {
        switch state {
        case .ok(let text): answer(.ok, ResponseHead.plainText, text + "\n")
        case .unavailable(let reason): answer(.unavailable, ResponseHead.plainText, reason + "\n")
        }
    }

    private func answer(_ status: HTTPStatus, _ contentType: String, _ text: String) {
        var head = ResponseHead(status: status, contentType: contentType, contentLength: text.utf8.count)
        if status == .unauthorized { head.challenges = server.authenticator.challenges }
        write(head)
        if plan.sendsBody { output.append(contentsOf: text.utf8) }
        flush()
    }

    /// Answers with a page that is shared with others.
    func answer(_ page: PageBody, contentType: String, _ encoding: ContentEncoding) {
        write(
            ResponseHead(
                status: .ok, contentType: contentType, contentLength: page.count, encoding: encoding,
                isNegotiated: true))
        if plan.sendsBody {
            server.retain(page)
            self.page = page
            pageOffset = 0
        }
        flush()
    }

    private func write(_ head: ResponseHead) {
        server.observer?.requestAnswered(head.status)
        // Without a spare descriptor every connection is given back after its answer.
        if server.isOutOfDescriptors { plan.keepsAlive = false }
        var head = head
        head.persistence = !plan.keepsAlive ? .close : plan.announcesKeepAlive ? .announced : .silent
        output.removeAll(keepingCapacity: true)
        outputOffset = 0
        head.append(to: &output)
        encoding = head.encoding
        phase = .writing
        waitingSince = server.loop.now
        lastProgress = server.loop.now
        setDeadline(after: server.limits.writeTimeout)
    }

    /// Writes what the client takes, so much that a fast reader of a large page does not keep the others waiting.
    func flush() {
        let isScrape = isScrape
        var budget = server.writeBudget.limit(isScrape: isScrape)
        while outputOffset < output.count || pageOffset < page?.count ?? 0 {
            switch sendSome(atMost: budget) {
            case .bytes(let count):
                server.observer?.bytesSent(count, encoding)
                lastProgress = server.loop.now
                budget -= count
                if page != nil { server.noteWritten(count, isScrape: isScrape, isMore: budget <= 0) }
                if budget <= 0 { return listen(for: .writable) }
            case .wouldBlock: return listen(for: .writable)
            case .failed: return close()
            }
        }
        if flushSession() { finish() }
    }

    private func sendSome(atMost limit: Int) -> WriteResult {
        let result: WriteResult?
        if outputOffset < output.count {
            let end = min(output.count, outputOffset + limit)
            result = unsafe output.withUnsafeBytes {
                unsafe send(UnsafeRawBufferPointer(rebasing: $0[outputOffset..<end]))
            }
            if case .bytes(let count) = result { outputOffset += count }
        } else {
            let end = min(page?.count ?? 0, pageOffset + limit)
            result = unsafe page?.storage.withUnsafeBytes {
                unsafe send(UnsafeRawBufferPointer(rebasing: $0[pageOffset..<end]))
            }
            if case .bytes(let count) = result { pageOffset += count }
        }
        return result ?? .wouldBlock
    }

    private func finish() {
        releasePage()
        pageOffset = 0
        isServed = true
        waitingSince = server.loop.now
        guard plan.keepsAlive else { return finishForGood() }
        phase = .awaitingHead
        setDeadline(after: server.limits.idleTimeout)
        listen(for: .readable)
        if !input.isEmpty, phase == .awaitingHead, let token {
            // In the next turn, so that a client with many requests takes turns with the others.
            hasPipelinedInput = true
            server.loop.defer(token)
        } else {
            readOn()
        }
    }

    /// Ends our side, and lets the client read what it was sent.
    func finishForGood() {
        do throws(SystemError) {
            try finishWriting()
        } catch {
            return close()
        }
        phase = .lingering(server.limits.lingerBytes)
        setDeadline(after: server.limits.lingerTimeout)
        listen(for: .readable)
        if phase != .closed, flushSession() { linger(server.limits.lingerBytes) }
    }
}
