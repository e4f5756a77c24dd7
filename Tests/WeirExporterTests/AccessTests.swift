import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import Threading

@testable import WeirExporter

private let token = "a-token-of-some-length"
/// Bcrypt hashes of `correct horse`: one that takes little time, and one that takes half a second.
private let cheap = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
private let costly = "$2b$13$abcdefghijklmnopqrstuufJyGQz74MaXA58G4n4SAlu8WLjGODFe"

private func bearer(_ token: String) -> String { "Authorization: Bearer \(token)" }
private func basic(_ name: String, _ password: String) -> String {
    "Authorization: Basic " + base64(Array("\(name):\(password)".utf8))
}

private func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
        for place in 0...3 as ClosedRange<UInt32> where place <= group.count {
            text.append(alphabet[Int(bits >> (18 - 6 * place) & 63)])
        }
    }
    return String(decoding: text, as: UTF8.self)
}

/// Access to the exporter's pages. The test controls time and every turn of the loop.
@Suite struct AccessTests {
    @Test("Without a token, or with a wrong one, everything but health is 401, and says how to come in")
    func bearerToken() throws {
        let stepped = try SteppedServer(access: ExporterAccess(tokens: [Array("other".utf8), Array(token.utf8)]))
        for path in ["/metrics", "/", "/nowhere", "/metrics?name[]=%"] {
            let answer = try #require(try stepped.answer(to: request("GET", path)))
            #expect(answer.status == 401 && answer.text == "401 Unauthorized\n")
            #expect(answer.headers["www-authenticate"] == "Bearer realm=\"metrics\"")
            #expect(answer.headers["connection"] == nil)
            #expect(
                try stepped.answer(to: request("GET", path, bearer(token + "x")), source: 0x7f00_0003)?.status == 401)
        }
        for path in ["/healthz", "/readyz"] {
            #expect(try stepped.answer(to: request("GET", path))?.status == 200)
            #expect(try stepped.answer(to: request("GET", path, bearer("wrong")))?.status == 200)
        }
        #expect(try stepped.answer(to: request("GET", "/metrics", bearer(token)))?.status == 200)
        #expect(try stepped.answer(to: request("GET", "/metrics", "authorization: BEARER other"))?.status == 200)
        #expect(try stepped.answer(to: request("GET", "/nowhere", bearer(token)))?.status == 404)
        #expect(try stepped.answer(to: request("POST", "/metrics"))?.status == 405)
        #expect(stepped.observer.seen.statuses[.unauthorized] == 8)
    }

    @Test("HEAD without a token gets the head of 401, and the connection goes on with the token")
    func keptConnection() throws {
        let stepped = try SteppedServer(access: ExporterAccess(tokens: [Array(token.utf8)]))
        let client = try stepped.client(sending: request("HEAD") + request("GET", "/metrics", bearer(token)))
        try stepped.turn { stepped.observer.seen.pages == 1 }
        #expect(try client.answer(hasBody: false)?.status == 401)
        #expect(try client.answer()?.status == 200)
    }

    @Test("A password is looked at once, elsewhere, and remembered; a wrong one too")
    func password() throws {
        let users = [ExporterAccess.User(name: "prometheus", hash: cheap)]
        let stepped = try SteppedServer(access: ExporterAccess(users: users))
        let right = request("GET", "/metrics", basic("prometheus", "correct horse"))
        let wrong = request("GET", "/metrics", basic("prometheus", "wrong horse"))
        #expect(try stepped.answer(to: right)?.status == 200)
        let refused = try #require(try stepped.answer(to: wrong))
        #expect(refused.status == 401)
        #expect(refused.headers["www-authenticate"] == "Basic realm=\"metrics\", charset=\"UTF-8\"")
        // Without a verifier only remembered passwords are known.
        stepped.server.authenticator.verifier = nil
        #expect(try stepped.answer(to: right)?.status == 200)
        #expect(try stepped.answer(to: wrong)?.status == 401)
        #expect(try stepped.answer(to: request("GET", "/metrics", basic("prometheus", "another")))?.status == 429)
    }

    /// A server whose passwords are looked at when the gate lets them pass.
    private func gated(_ gate: TestSemaphore, tokens: [[UInt8]] = []) throws -> SteppedServer {
        let users = [ExporterAccess.User(name: "a", hash: cheap)]
        return try SteppedServer(access: ExporterAccess(tokens: tokens, users: users)) { password, hash in
            gate.wait()
            return PasswordHash.matches(password, hash)
        }
    }

    @Test("While a password is looked at, health and others are answered, and who asks the same waits for the same")
    func slowPassword() throws {
        let gate = TestSemaphore()
        let stepped = try gated(gate, tokens: [Array(token.utf8)])
        let waiting = try (0..<3).map { _ in
            try stepped.client(sending: request("GET", "/metrics", basic("a", "correct horse")))
        }
        #expect(try stepped.answer(to: request("GET", "/healthz"))?.status == 200)
        #expect(try stepped.answer(to: request("GET", "/metrics", bearer(token)))?.status == 200)
        #expect(stepped.server.connections.count { $0.phase == .awaitingVerdict } == 3)
        // One look is enough for all of them.
        gate.signal()
        try stepped.turn { waiting.allSatisfy { $0.hasAnswer() } }
        for client in waiting { #expect(try client.answer()?.status == 200) }
    }

    @Test("An unknown name is checked, too, and is refused with any password")
    func unknownUser() throws {
        let gate = TestSemaphore()
        let stepped = try gated(gate)
        for (name, status) in [("b", 401), ("", 401), ("A", 401), ("a", 200)] {
            let client = try stepped.client(sending: request("GET", "/metrics", basic(name, "correct horse")))
            #expect(stepped.server.connections.contains { $0.phase == .awaitingVerdict }, "\(name) was looked at")
            gate.signal()
            try stepped.turn { client.isReadable() }
            #expect(try client.answer()?.status == status, "\(name)")
        }
    }

    @Test("Unknown names are checked against each of the hashes, a name always against the same one")
    func decoys() throws {
        let seen = Lock<[String: Set<String>]>([:])
        let hashes = ["$2b$04$one", "$6$two", "$y$j9T$three"]
        let users = hashes.enumerated().map { ExporterAccess.User(name: "user \($0.offset)", hash: $0.element) }
        let stepped = try SteppedServer(access: ExporterAccess(users: users)) { password, hash in
            seen.withLock { _ = $0[String(decoding: password.dropLast(), as: UTF8.self), default: []].insert(hash) }
            return false
        }
        for name in 0..<40 {
            for attempt in 0..<2 {
                // Another source each time, so that none is wrong too often; the password tells the name.
                let source = 0x7f00_0002 + UInt32(name)
                let text = request("GET", "/metrics", basic("unknown \(name)", "unknown \(name) \(attempt)"))
                #expect(try stepped.answer(to: text, source: source)?.status == 401)
            }
        }
        let used = seen.withLock { $0 }
        #expect(used.count == 40 && used.values.allSatisfy { $0.count == 1 })
        #expect(Set(used.values.flatMap { $0 }) == Set(hashes))
    }

    @Test("A password that libcrypt cannot look at is 503, and is looked at again by the next who asks")
    func unable() throws {
        let isAble = Lock(false)
        let stepped = try SteppedServer(access: ExporterAccess(users: [.init(name: "a", hash: cheap)])) { _, _ in
            isAble.withLock { $0 } ? true : nil
        }
        let text = request("GET", "/metrics", basic("a", "x"))
        #expect(try stepped.answer(to: text)?.status == 503)
        isAble.withLock { $0 = true }
        #expect(try stepped.answer(to: text)?.status == 200)
    }

    @Test("After ten wrong passwords a name is throttled for its source, the right one included, and no other name is")
    func guessing() throws {
        let stepped = try SteppedServer(access: ExporterAccess(users: [.init(name: "a", hash: cheap)]))
        let right = request("GET", "/metrics", basic("a", "correct horse"))
        #expect(try stepped.answer(to: right)?.status == 200)
        // The first look was an attempt, too.
        try stepped.pass(seconds: 1.1)
        for guess in 0..<10 {
            #expect(try stepped.answer(to: request("GET", "/metrics", basic("a", "\(guess)")))?.status == 401)
        }
        for guess in 0..<3 {
            let answer = try #require(try stepped.answer(to: request("GET", "/metrics", basic("a", "again \(guess)"))))
            #expect(answer.status == 429 && answer.headers["retry-after"] == "1")
        }
        #expect(try stepped.answer(to: request("GET", "/metrics", basic("a", "3")))?.status == 429)
        #expect(try stepped.answer(to: right)?.status == 429)
        #expect(try stepped.answer(to: request("GET", "/metrics", basic("b", "1")))?.status == 401)
        #expect(try stepped.answer(to: right, source: 0x7f00_0009)?.status == 200)
        let stranger = request("GET", "/metrics", basic("a", "stranger"))
        #expect(try stepped.answer(to: stranger, source: 0x7f00_0009)?.status == 401)
        try stepped.pass(seconds: 1.1)
        #expect(try stepped.answer(to: request("GET", "/metrics", basic("a", "later")))?.status == 401)
    }

    @Test("A neighbor who guesses at other names, or at tokens, does not lock a scraper of the same address out")
    func neighbor() throws {
        let users = [ExporterAccess.User(name: "prometheus", hash: cheap)]
        let stepped = try SteppedServer(access: ExporterAccess(tokens: [Array(token.utf8)], users: users))
        for guess in 0..<20 {
            let text = request("GET", "/metrics", basic("admin", "\(guess)"))
            #expect(try stepped.answer(to: text)?.status == (guess < 10 ? 401 : 429))
            let bearing = request("GET", "/metrics", bearer("\(guess)"))
            #expect(try stepped.answer(to: bearing)?.status == (guess < 10 ? 401 : 429))
        }
        let right = request("GET", "/metrics", basic("prometheus", "correct horse"))
        #expect(try stepped.answer(to: right)?.status == 200)
        #expect(try stepped.answer(to: request("GET", "/metrics", bearer(token)))?.status == 200)
    }

    @Test("A source that makes up a name for each guess has forty looks, and what is remembered needs none")
    func madeUpNames() throws {
        let looks = Lock(0)
        let users = [ExporterAccess.User(name: "prometheus", hash: cheap)]
        let stepped = try SteppedServer(access: ExporterAccess(users: users)) { password, _ in
            looks.withLock { $0 += 1 }
            return password == Array("right".utf8)
        }
        let right = request("GET", "/metrics", basic("prometheus", "right"))
        #expect(try stepped.answer(to: right)?.status == 200)
        for name in 0..<60 {
            let text = request("GET", "/metrics", basic("name \(name)", "x"))
            #expect(try stepped.answer(to: text)?.status == (name < 39 ? 401 : 429))
        }
        #expect(looks.withLock { $0 } == 40)
        #expect(try stepped.answer(to: right)?.status == 200)
    }

    /// Asks and hangs up before there can be a verdict.
    private func askAndHangUp(_ stepped: SteppedServer, _ password: String, besides others: Int = 0) throws {
        do { _ = try stepped.client(sending: request("GET", "/metrics", basic("a", password))) }
        try stepped.turn { stepped.server.connections.count { $0.phase == .awaitingVerdict } == others }
    }

    @Test("A guess is charged when it is made: 300 clients that hang up cost ten looks, and throttle the right one")
    func hangingUp() throws {
        let looks = Lock(0)
        let users = [ExporterAccess.User(name: "a", hash: cheap)]
        let stepped = try SteppedServer(access: ExporterAccess(users: users)) { password, hash in
            looks.withLock { $0 += 1 }
            return PasswordHash.matches(password, hash)
        }
        for guess in 0..<300 { try askAndHangUp(stepped, guess == 5 ? "correct horse" : "\(guess)") }
        let right = request("GET", "/metrics", basic("a", "correct horse"))
        #expect(try stepped.answer(to: right)?.status == 429)
        #expect(looks.withLock { $0 } <= 10)
        // The verdict of a check is kept, and counts once the throttle has ended.
        try stepped.pass(seconds: 1.1)
        #expect(try stepped.answer(to: right)?.status == 200)
    }

    @Test("A password that no connection waits for any more is not looked at, and its slot is free")
    func abandoned() throws {
        let gate = TestSemaphore()
        let looked = Lock<[String]>([])
        let users = [ExporterAccess.User(name: "a", hash: cheap)]
        let stepped = try SteppedServer(access: ExporterAccess(users: users)) { password, _ in
            looked.withLock { $0.append(String(decoding: password, as: UTF8.self)) }
            gate.wait()
            return false
        }
        let first = try stepped.client(sending: request("GET", "/metrics", basic("a", "first")))
        for guess in 0..<6 { try askAndHangUp(stepped, "gone \(guess)", besides: 1) }
        // Two wait for the same; one of them goes.
        let shared = request("GET", "/metrics", basic("a", "shared"))
        let second = try stepped.client(sending: shared)
        do { _ = try stepped.client(sending: shared) }
        try stepped.turn { stepped.server.connections.count { $0.phase == .awaitingVerdict } == 2 }
        for _ in 0..<2 { gate.signal() }
        try stepped.turn { first.hasAnswer() && second.hasAnswer() }
        #expect(try first.answer()?.status == 401)
        #expect(try second.answer()?.status == 401)
        #expect(looked.withLock { $0 } == ["first", "shared"])
        #expect(stepped.observer.seen.abandonedPasswords == 7)
    }

    @Test("Only so many passwords wait, four of one source: the others get 429, and their slots come back")
    func queue() throws {
        let gate = TestSemaphore()
        let stepped = try gated(gate)
        for round in 1...2 {
            let clients = try (0..<8).map {
                try stepped.client(sending: request("GET", "/metrics", basic("a", "guess \(round) \($0)")))
            }
            try stepped.turn { stepped.observer.seen.statuses[.tooManyRequests] == 4 * round }
            #expect(stepped.server.connections.count { $0.phase == .awaitingVerdict } == 4)
            for _ in 0..<4 { gate.signal() }
            try stepped.turn { clients.allSatisfy { $0.hasAnswer() } }
            #expect(stepped.observer.seen.statuses[.unauthorized] == 4 * round)
        }
    }

    @Test("Other tokens and users hold from the next request on, and who stays is not looked at again")
    func update() throws {
        let stepped = try SteppedServer(
            access: ExporterAccess(tokens: [Array("old".utf8)], users: [.init(name: "a", hash: cheap)]))
        let old = request("GET", "/metrics", bearer("old"))
        let client = try stepped.client(sending: old)
        #expect(try client.answer()?.status == 200)
        let login = request("GET", "/metrics", basic("a", "correct horse"))
        #expect(try stepped.answer(to: login)?.status == 200)
        stepped.server.update(
            ExporterAccess(tokens: [Array("new".utf8)], users: [.init(name: "a", hash: cheap)]))
        client.send(old + request("GET", "/metrics", bearer("new")))
        try stepped.turn { stepped.observer.seen.pages == 3 }
        #expect(try client.answer()?.status == 401)
        #expect(try client.answer()?.status == 200)
        stepped.server.authenticator.verifier = nil
        #expect(try stepped.answer(to: login)?.status == 200)
        stepped.server.update(ExporterAccess(users: [.init(name: "a", hash: costly)]))
        // Another hash must be checked, and there is no verifier.
        #expect(try stepped.answer(to: login)?.status == 429)
        stepped.server.update(ExporterAccess())
        #expect(try stepped.answer(to: request())?.status == 200)
    }

    @Test("Connections of others are refused before they send anything, and an update ends those that are there")
    func allowedPeers() throws {
        let two = try #require(IPAddress("127.0.0.2"))
        let stepped = try SteppedServer(access: ExporterAccess(isAllowed: { peer, _ in peer == two }))
        let refused = try stepped.client()
        let answer = try #require(try refused.answer())
        #expect(answer.status == 403 && answer.headers["connection"] == "close")
        #expect(try refused.isClosed())
        #expect(stepped.server.connections.isEmpty)
        #expect(stepped.observer.seen.statuses == [.forbidden: 1])
        // One that has sent its request gets the answer, not a reset.
        let asking = try TestClient(port: stepped.port)
        asking.send(request("GET", "/healthz"))
        try stepped.turn { asking.isReadable() }
        #expect(try asking.answer()?.status == 403)
        let allowed = try stepped.client(source: 0x7f00_0002, sending: request())
        #expect(try allowed.answer()?.status == 200)
        let connections = stepped.server.connections.count
        stepped.server.update(ExporterAccess(isAllowed: { peer, local in peer == local }))
        #expect(connections == 1 && stepped.server.connections.isEmpty)
        #expect(try allowed.isClosed())
        #expect(try stepped.scrape()?.status == 200)
    }

    @Test("A Unix socket has permissions instead of addresses, its clients are one source, and its file goes with it")
    func unixSocket() throws {
        let folder = try TemporaryDirectory("exporter")
        let path = try #require(UnixSocketPath(folder.file("s")))
        do {
            let stepped = try SteppedServer(
                access: ExporterAccess(isAllowed: { _, _ in false }),
                unixSockets: [UnixListener(path: path, mode: 0o600)])
            #expect(try stepped.scrape()?.status == 403)
            var clients: [TestClient] = []
            for _ in 0..<20 {
                clients.append(try TestClient(unix: path.path))
                try stepped.turn { true }
            }
            let last = try #require(clients.last)
            last.send(request())
            try stepped.turn { last.hasAnswer() }
            #expect(try last.answer()?.status == 200)
            #expect(stepped.server.connections.count == 16)
            stepped.server.update(ExporterAccess(isAllowed: { _, _ in false }))
            #expect(stepped.server.connections.count == 16)
        }
        #expect(throws: TestClient.Failure.self) { try TestClient(unix: path.path) }
    }

    @Test("A path on which a process listens is named, and nothing is left listening")
    func takenPath() async throws {
        let folder = try TemporaryDirectory("exporter")
        let path = try #require(UnixSocketPath(folder.file("s")))
        let settings = ExporterConfiguration(listen: [loopback], unixSockets: [UnixListener(path: path)])
        let first = try Exporter(settings, page: TestPage())
        try await first.start()
        let second = try Exporter(settings, page: TestPage())
        let error = await #expect(throws: ExporterError.self) { try await second.start() }
        #expect(error == .cannotListenAt(path, .inUse))
        #expect(error?.description == "exporter: cannot listen on \(path): another process listens there already")
        let client = try TestClient(unix: path.path)
        client.send(request())
        #expect(try client.answer()?.status == 200)
        await first.stop()
        #expect(throws: TestClient.Failure.self) { try TestClient(unix: path.path) }
    }

    @Test("An exporter can end while a password is looked at")
    func endMeanwhile() async throws {
        weak var seen: Exporter?
        do {
            let exporter = try Exporter(
                ExporterConfiguration(
                    listen: [loopback], access: ExporterAccess(users: [.init(name: "a", hash: costly)])),
                page: TestPage())
            seen = exporter
            try await exporter.start()
            let client = try TestClient(port: exporter.localAddresses[0].port)
            client.send(request("GET", "/metrics", basic("a", "correct horse")))
            try await waitUntil("the exporter has its client") { await exporter.connectionCount == 1 }
            await exporter.stop()
            #expect(try client.isClosed())
        }
        try waitUntil("the exporter is gone") { seen == nil }
    }
}
