import LinuxIO
import Logging
import Threading
import WeirBalance
import WeirConfiguration
import WeirStream

// The requests of operators at the admin socket.

extension Proxy {
    /// Listens at the admin socket, where one is configured.
    func startAdmin() throws(ProxyError) {
        guard let section = configuration.admin, let path = section.listen else { return }
        let registration = RouteRegistration(components.registry)
        let requests = AdminAnswer.Code.allCases.map {
            registration.counter(MetricCatalogue.adminRequests, [$0.label])
        }
        do throws(UnixSocketFile.Failure) {
            admin = try AdminServer(
                path, mode: section.socketMode,
                count: { code in
                    requests[code.ordinal].add()
                    // It owns the counters.
                    _ = registration
                },
                handler: { [weak self] request, user in
                    await self?.answer(request, of: user) ?? AdminAnswer(.unavailable, error: "the process is ending")
                })
        } catch {
            throw .admin(path, error)
        }
        do throws(SystemError) {
            try admin?.start()
        } catch {
            throw .admin(path, .system(error))
        }
    }

    private func answer(_ request: AdminRequest, of user: UInt32) async -> AdminAnswer {
        do throws(StreamQuery.Problem) {
            return try await perform(request, of: user)
        } catch {
            return AdminAnswer(.badRequest, error: error.text)
        }
    }

    private func perform(
        _ request: AdminRequest, of user: UInt32
    ) async throws(StreamQuery.Problem) -> AdminAnswer {
        switch (request.method, request.path) {
        case (.get, "/v1/status"): return status(asLines: request.parameters["format"] == "lines")
        case (.get, "/v1/connections"): return try await connections(request)
        case (.get, "/v1/top"): return try await top(request)
        case (.post, "/v1/kill"): return try await kill(request, user)
        case (.post, "/v1/drain"): return await drain(request, to: true, user)
        case (.post, "/v1/undrain"): return await drain(request, to: false, user)
        case (.get, "/v1/log-level"): return Self.answer { $0.add("level", "\(components.log.level)") }
        case (.post, "/v1/log-level"): return setLogLevel(request, user)
        case (.get, "/v1/kill"), (.get, "/v1/drain"), (.get, "/v1/undrain"), (.post, "/v1/status"),
            (.post, "/v1/connections"), (.post, "/v1/top"):
            return AdminAnswer(.methodNotAllowed, error: "what changes something is POST, and what asks is GET")
        default: return AdminAnswer(.notFound, error: "there is no `\(request.path)`")
        }
    }

    private static func answer(_ body: (inout JSONOutput) -> Void) -> AdminAnswer {
        var json = JSONOutput()
        json.object { body(&$0) }
        return AdminAnswer(.ok, json.bytes + [UInt8(ascii: "\n")])
    }

    private func note(_ text: String, _ fields: Logger.Metadata, _ user: UInt32) {
        logger.warning("an operator \(text)", metadata: fields.merging(["uid": "\(user)"]) { old, _ in old })
    }

    // MARK: Status

    private func status(asLines: Bool) -> AdminAnswer {
        if asLines { return AdminAnswer(.ok, StatusLines.bytes(components.live.current, components.log.events)) }
        let document = StatusDocument(
            live: components.live, health: components.health, metrics: components.metrics, engine: components.engine,
            log: components.log)
        var bytes: [UInt8] = []
        document.begin()
        while !document.appendPiece(to: &bytes) {}
        return AdminAnswer(.ok, bytes + [UInt8(ascii: "\n")])
    }

    // MARK: Connections

    private func connections(_ request: AdminRequest) async throws(StreamQuery.Problem) -> AdminAnswer {
        let wanted = try StreamQuery(request.parameters)
        var found: [OpenStream] = []
        var total = 0
        await walk(wanted) { fitting in
            total += fitting.count
            found += fitting
            // However much is open, no more is kept than four times what is told.
            if found.count > 4 * wanted.limit { found = wanted.sorted(found) }
        }
        found = wanted.sorted(found)
        if request.parameters["format"] == "lines" { return AdminAnswer(.ok, StatusLines.bytes(found, total: total)) }
        return Self.answer { json in
            json.add("total", UInt64(total))
            json.array("connections") { json in
                for stream in found { stream.write(to: &json) }
            }
        }
    }

    /// The clients with the most bytes in all that is open and fits.
    private func top(_ request: AdminRequest) async throws(StreamQuery.Problem) -> AdminAnswer {
        let wanted = try StreamQuery(request.parameters)
        guard request.parameters["sort"] == nil else {
            return AdminAnswer(.badRequest, error: "`sort` is for connections: clients come by their bytes")
        }
        var sketch = ClientSketch()
        await walk(wanted) { fitting in
            for stream in fitting {
                sketch.add(
                    stream.clientAddress, ingressBytes: stream.ingressBytes, egressBytes: stream.egressBytes)
            }
        }
        let clients = sketch.top(wanted.limit)
        if request.parameters["format"] == "lines" {
            return AdminAnswer(.ok, StatusLines.bytes(clients, of: sketch))
        }
        return Self.answer { json in
            json.add("total", UInt64(sketch.streams))
            json.add("bound", sketch.bound)
            json.array("clients") { json in
                for client in clients { client.write(to: &json) }
            }
        }
    }

    /// Walks over all that is open and fits, slice by slice: each is one piece of work of one worker.
    private func walk(_ wanted: StreamQuery, _ body: ([OpenStream]) async -> Void) async {
        var cursor: OpenStreamCursor?
        repeat {
            let (streams, next) = await components.engine.openStreams(from: cursor)
            await body(streams.filter(wanted.fits))
            cursor = next
        } while cursor != nil
    }

    private func kill(
        _ request: AdminRequest, _ user: UInt32
    ) async throws(StreamQuery.Problem) -> AdminAnswer {
        let wanted = try StreamQuery(request.parameters, isList: false)
        guard wanted.isNarrow else {
            return AdminAnswer(.badRequest, error: "name an `id`, `client`, `upstream` or `route`")
        }
        var ended = 0
        await walk(wanted) { ended += await components.engine.end($0) }
        note("has ended connections", ["request": "\(request.target)", "ended": "\(ended)"], user)
        return Self.answer { $0.add("ended", UInt64(ended)) }
    }

    // MARK: Drains

    private func drain(_ request: AdminRequest, to isDraining: Bool, _ user: UInt32) async -> AdminAnswer {
        guard let name = request.parameters["route"] else { return AdminAnswer(.badRequest, error: "name a `route`") }
        guard request.parameters.keys.allSatisfy({ ["route", "upstream"].contains($0) }) else {
            return AdminAnswer(.badRequest, error: "there are the parameters `route` and `upstream`")
        }
        let ending = AdminAnswer(.conflict, error: "the process is ending")
        // Not after a wait for the turn alone: the drain of a shutdown keeps its turn for long.
        if isEnding { return ending }
        await turns.enter()
        defer { turns.leave() }
        // The client was told that there is no answer, so nothing may change.
        guard (try? Task.checkCancellation()) != nil else {
            return AdminAnswer(.unavailable, error: "the request has waited for too long")
        }
        guard !isEnding, state == .running else { return ending }
        let named = routes.values.filter { $0.configuration.name == name }
        guard !named.isEmpty else { return AdminAnswer(.notFound, error: "there is no route `\(name)`") }
        if let upstream = request.parameters["upstream"] {
            guard drain(upstream, of: named, to: isDraining) else {
                let hint = named.contains { $0.served.hasSet } ? "" : ": it has one, and can be drained as a whole"
                return AdminAnswer(
                    .notFound, error: "route `\(name)` has no upstream `\(upstream)` among several\(hint)")
            }
        } else {
            do throws(ProxyError) {
                try await drain(named, name, to: isDraining)
            } catch {
                // The routes that went back have other observers.
                publishRoutes()
                return AdminAnswer(.conflict, error: "\(error)")
            }
        }
        publishRoutes()
        var fields: Logger.Metadata = ["route": "\(name)"]
        if let upstream = request.parameters["upstream"] { fields["upstream"] = "\(upstream)" }
        note(isDraining ? "has begun a drain" : "has ended a drain", fields, user)
        return Self.answer { json in
            json.add("route", name)
            if let upstream = request.parameters["upstream"] { json.add("upstream", upstream) }
            json.add("draining", isDraining)
        }
    }

    /// Begins or ends the drain of a whole route, for all its transports or for none.
    private func drain(
        _ named: [RunningRoute], _ name: String, to isDraining: Bool
    ) async throws(ProxyError) {
        guard components.drains.set(route: name, to: isDraining) else { return }
        var begun: [RunningRoute] = []
        do throws(ProxyError) {
            for route in named {
                begun.append(route)
                try await update(route, to: Self.unchanged(route))
            }
        } catch {
            _ = components.drains.set(route: name, to: !isDraining)
            for route in begun {
                guard let now = routes[route.key] else { continue }
                try? await update(now, to: Self.unchanged(route))
            }
            throw error
        }
    }

    /// The entry of a route that goes on at its listeners. What a reload has dropped is gone since.
    private static func unchanged(_ route: RunningRoute) -> ReloadPlan.Entry {
        var entry = route.entry
        entry.dropped = []
        return entry
    }

    /// Begins or ends the drain of the members of these routes of one name that have this text or label. False where
    /// there is none.
    private func drain(_ upstream: String, of named: [RunningRoute], to isDraining: Bool) -> Bool {
        let sets = named.compactMap { route in
            components.upstreamSets.set(UpstreamSets.Key(route.served)).map { (route, $0) }
        }
        let members = sets.flatMap { route, _ in route.served.drainableMembers }
        guard let name = named.first?.configuration.name, members.contains(where: { $0.isNamed(upstream) }) else {
            return false
        }
        if isDraining {
            components.drains.begin(upstream, of: name)
        } else {
            components.drains.end(upstream, of: name, members: members)
        }
        let now = MonotonicClock.system.nanoseconds
        for (route, set) in sets {
            for member in route.served.drainableMembers where member.isNamed(upstream) {
                set.setDraining(member.text, to: isDraining, now: now)
            }
        }
        return true
    }

    // MARK: Log

    private func setLogLevel(_ request: AdminRequest, _ user: UInt32) -> AdminAnswer {
        guard let text = request.parameters["level"], let level = Configuration.Log.Level(rawValue: text) else {
            return AdminAnswer(.badRequest, error: "level: expected `debug`, `info`, `warning` or `error`")
        }
        components.log.level = Logger.Level(level)
        note("has changed the level of the log until the next reload", ["level": "\(text)"], user)
        return Self.answer { $0.add("level", text) }
    }
}

extension OpenStream {
    /// Writes it as an object.
    fileprivate func write(to json: inout JSONOutput) {
        json.object { json in
            json.add("id", String(id, radix: 16))
            json.add("route", route)
            json.add("protocol", transport.rawValue)
            json.add("client", clientAddress.description)
            json.add("local", localAddress.description)
            if let upstream { json.add("upstream", upstream.description) }
            if let upstreamAddress { json.add("upstream_address", upstreamAddress.description) }
            json.add("age_seconds", secondsOf: age.clampedNanoseconds)
            json.add("silent_seconds", secondsOf: silence.clampedNanoseconds)
            json.array("bytes") { json in
                json.add(nil, ingressBytes)
                json.add(nil, egressBytes)
            }
        }
    }
}

extension ClientSketch.Client {
    /// The address alone, such as `192.0.2.1`.
    var name: String {
        if address.isUnix { return address.description }
        return address.scope == 0 ? "\(address.ip)" : "\(address.ip)%\(address.scope)"
    }

    /// Writes it as an object.
    fileprivate func write(to json: inout JSONOutput) {
        json.object { json in
            json.add("client", name)
            json.add("open", UInt64(clamping: streams))
            json.array("bytes") { json in
                json.add(nil, ingressBytes)
                json.add(nil, egressBytes)
            }
            if missed > 0 { json.add("missed", missed) }
        }
    }
}

extension AdminAnswer.Code: LabelValue {
    var label: String { "\(rawValue)" }
}
