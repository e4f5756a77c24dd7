import Testing

@testable import WeirExporter

/// Many clients that ask for much: who is answered first, and who gives way. Nothing is timed: renderings are counted.
@Suite struct CrowdTests {
    private static let sources = (1...4 as ClosedRange<UInt32>).map { 0x7f00_0000 + $0 }

    private func part(_ number: Int) -> String { request("GET", "/metrics?route=r\(number)") }

    @Test("One page is made a turn, and health is answered before the pages that wait")
    func oneRenderingPerTurn() throws {
        let stepped = try SteppedServer()
        let clients = try (0..<48).map { try TestClient(port: stepped.port, source: Self.sources[$0 % 4]) }
        for (number, client) in clients.enumerated() { client.send(part(number)) }
        var pages = 0
        var hasAsked = false
        for _ in 0..<200 where pages < 48 {
            if pages >= 5, !hasAsked {
                hasAsked = true
                let probe = try TestClient(port: stepped.port)
                probe.send(request("GET", "/healthz"))
                let before = stepped.observer.seen.pages
                try stepped.turn { probe.hasAnswer() }
                #expect(try probe.answer()?.status == 200)
                #expect(stepped.observer.seen.pages - before <= 1)
            } else {
                _ = stepped.loop.turn(mayWait: false)
                #expect(stepped.observer.seen.pages - pages <= 1)
            }
            pages = stepped.observer.seen.pages
        }
        #expect(hasAsked && pages == 48)
        for client in clients { #expect(try client.answer()?.status == 200) }
    }

    @Test("A whole page comes before the parts that wait, and a source with one request is not behind one with many")
    func fairness() throws {
        let stepped = try SteppedServer()
        let many = try (0..<12).map { number in
            let client = try TestClient(port: stepped.port, source: 0x7f00_0002)
            client.send(part(number))
            return client
        }
        try stepped.turn { stepped.observer.seen.pages >= 2 }
        let one = try TestClient(port: stepped.port, source: 0x7f00_0003)
        one.send(part(100))
        let scraper = try TestClient(port: stepped.port, source: 0x7f00_0002)
        scraper.send(request())
        let before = stepped.observer.seen.pages
        try stepped.turn { scraper.hasAnswer() }
        #expect(stepped.observer.seen.pages - before <= 2)
        try stepped.turn { one.hasAnswer() }
        #expect(stepped.observer.seen.pages - before <= 4)
        try stepped.turn { many.allSatisfy { $0.hasAnswer() } }
    }

    @Test("Whole pages that are asked for all the time leave parts their turn")
    func partsAreServed() throws {
        let stepped = try SteppedServer()
        let whole = try TestClient(port: stepped.port, source: 0x7f00_0002)
        whole.send(String(repeating: request(), count: 40))
        let waiting = try TestClient(port: stepped.port, source: 0x7f00_0003)
        waiting.send(part(1))
        try stepped.turn { waiting.hasAnswer() }
        #expect(stepped.observer.seen.pages < 10)
    }

    @Test(
        "More than sixteen values of a parameter are refused, and the answer says so", arguments: ["route", "name[]"])
    func values(key: String) throws {
        let stepped = try SteppedServer()
        func query(_ count: Int) -> String { (0..<count).map { "\(key)=v\($0)" }.joined(separator: "&") }
        #expect(try stepped.answer(to: request("GET", "/metrics?" + query(16)))?.status == 200)
        let refused = try #require(try stepped.answer(to: request("GET", "/metrics?" + query(17))))
        #expect(refused.status == 400)
        #expect(refused.text.contains("at most 16 values"))
        let twins = String(repeating: key + "=v&", count: 17)
        #expect(try stepped.answer(to: request("GET", "/metrics?" + twins))?.status == 400)
    }

    /// 64 clients of four addresses with fifty requests each, sent at once.
    private func crowd(_ stepped: SteppedServer, _ text: (Int) -> String) throws -> [TestClient] {
        let clients = try (0..<64).map { try TestClient(port: stepped.port, source: Self.sources[$0 % 4]) }
        for (number, client) in clients.enumerated() { client.send(String(repeating: text(number), count: 50)) }
        try stepped.turn { stepped.server.connections.count == 64 }
        return clients
    }

    @Test("Clients that pipeline take no connection from health checks and scrapes", arguments: [true, false])
    func pipelining(isWhole: Bool) throws {
        let stepped = try SteppedServer()
        let kept = try stepped.client(source: 0x7f00_0009, sending: request())
        #expect(try kept.answer()?.status == 200)
        let clients = try crowd(stepped) { isWhole ? request() : part($0) }
        for source in [nil, 0x7f00_0002, 0x7f00_0008] as [UInt32?] {
            #expect(try stepped.answer(to: request("GET", "/healthz"), source: source)?.status == 200)
            #expect(try stepped.scrape(source: source)?.status == 200)
            #expect(stepped.server.connections.count <= 64)
        }
        // The scraper of another address was never the one to give way.
        kept.send(request())
        try stepped.turn { kept.hasAnswer() }
        #expect(try kept.answer()?.status == 200)
        #expect(stepped.observer.seen.statuses[.unavailable] == nil)
        withExtendedLifetime(clients) {}
    }

    @Test("A newcomer whose request is still on its way stays where others of its source pipeline")
    func newcomers() throws {
        let stepped = try SteppedServer()
        let text = { (number: Int) in String(repeating: self.part(number), count: 10) }
        var crowd = try crowd(stepped, part)
        let probe = try stepped.client(source: 0x7f00_0002)
        for number in 0..<20 {
            crowd.append(try stepped.client(source: 0x7f00_0002, sending: text(number)))
            #expect(stepped.server.connections.count <= 64)
        }
        probe.send(request("GET", "/healthz"))
        try stepped.turn { probe.hasAnswer() }
        #expect(try probe.answer()?.status == 200)
        withExtendedLifetime(crowd) {}
    }

    @Test("Clients of other machines leave connections for those on this one")
    func keptPlaces() throws {
        var limits = ExporterLimits()
        limits.connections = 6
        let stepped = try SteppedServer(page: TestPage(size: 12_000_000), limits: limits)
        let readers = try [0x7f00_0002, 0x7f00_0003].map {
            try stepped.client(source: $0, receiveBuffer: 4096, sending: request())
        }
        let newcomer = ClientSource(.init(.init(v4: 0x0a00_0001), port: 1))
        #expect(stepped.server.connections.count { $0.phase == .writing } == readers.count)
        #expect(!stepped.server.evictIfFull(for: newcomer, isOnThisMachine: false))
        #expect(stepped.server.evictIfFull(for: newcomer, isOnThisMachine: true))
    }
}
