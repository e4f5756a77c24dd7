import LinuxIO

extension ScrapeConnection {
    /// The bytes for which a read from a session counts at the least, where they are thrown away.
    private static let minLingerBytes = 4096

    /// Takes in what has arrived of a head, and acts on it where that completes a request.
    func readHead() {
        if hasPipelinedInput {
            // Before anything is read: an end of the stream counts only behind the requests that came before it.
            hasPipelinedInput = false
            return advance()
        }
        switch server.receive(from: self, atMost: server.limits.headBytes - input.count) {
        case .bytes(let count):
            server.appendReceived(count, to: &input)
            advance()
            readOn()
        case .wouldBlock: break
        case .endOfStream, .failed: close()
        }
    }

    /// Looks at the bytes that are new in `input`.
    private func advance() {
        let isFirstByte = !scanner.hasBegun
        do throws(RequestError) {
            guard let length = try scanner.scan(input.span, limit: server.limits.headBytes) else {
                if isFirstByte, scanner.hasBegun { beginHead() }
                return
            }
            var plan = try Self.plan(for: input, length: length, limits: server.limits)
            if case .verified(let hasPaths) = clients {
                plan.needsCredentials = false
                if !hasPaths {
                    plan.restrictToScrapers()
                } else if server.askPath != nil, plan.action == .refuse(.notFound) {
                    plan.action = .other(try Self.pathRequest(in: input, length: length))
                }
            }
            input.removeFirst(length)
            scanner = HeadScanner()
            begin(plan)
        } catch {
            refuse(error.status)
        }
    }

    private static func plan(
        for input: [UInt8], length: Int, limits: ExporterLimits
    ) throws(RequestError) -> RequestPlan {
        let head = input.span.extracting(0..<length)
        return RequestPlan(try RequestHead.parse(head), of: head, limits: limits)
    }

    private static func pathRequest(in input: [UInt8], length: Int) throws(RequestError) -> PathRequest {
        let head = input.span.extracting(0..<length)
        return try PathRequest(try RequestHead.parse(head), of: head)
    }

    private func beginHead() {
        // A new client has waited since it was accepted; one that was served since this byte.
        if isServed { waitingSince = server.loop.now }
        setDeadline(after: server.limits.headTimeout)
    }

    private func begin(_ plan: RequestPlan) {
        self.plan = plan
        countRequest()
        if lacksCertificate { self.plan.demandCertificate() }
        if peer != nil, !server.serves(plan.host, isOnLoopback: isOnLoopback) { self.plan.misdirect() }
        let arrived = min(plan.discards, input.count)
        input.removeFirst(arrived)
        if plan.discards > arrived {
            setDeadline(after: server.limits.headTimeout)
            phase = .discardingBody(plan.discards - arrived)
        } else {
            answer()
        }
    }

    /// Throws away what has arrived of a body, and no byte of what follows it.
    func discardBody(_ rest: Int) {
        switch server.receive(from: self, atMost: rest) {
        case .bytes(let count) where count == rest: answer()
        case .bytes(let count):
            phase = .discardingBody(rest - count)
            readOn()
        case .wouldBlock: break
        case .endOfStream, .failed: close()
        }
    }

    /// Answers something that is not a request, or not a whole one; the connection ends with it.
    func refuse(_ status: HTTPStatus) {
        input.removeAll()
        plan = RequestPlan(refusing: RequestError(status: status))
        answer()
    }

    /// Throws away input until the client closes, within bounds. Closing with unread input would send a reset, and a
    /// reset takes the answer away from a client that has not read it yet (RFC 9112 section 9.6).
    func linger(_ rest: Int) {
        var rest = rest
        while rest > 0 {
            switch server.receive(from: self, atMost: rest) {
            // A session may do work for which there are no bytes: that has a bound, too.
            case .bytes(let count): rest -= session == nil ? count : max(count, Self.minLingerBytes)
            case .wouldBlock: return phase = .lingering(rest)
            case .endOfStream, .failed: return close()
            }
        }
        close()
    }
}
