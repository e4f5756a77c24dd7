import Testing

@testable import WeirExporter

/// Time is the test's own here, and so is every turn of the loop.
@Suite struct SlowClientTests {
    @Test("A head that is not complete after 10 s gets 408, a silent connection is closed without a word")
    func headDeadline() throws {
        let stepped = try SteppedServer()
        let slow = try stepped.client(sending: "GET /metrics HTTP/1.1\r\n")
        let silent = try stepped.client()
        try stepped.pass(seconds: 9)
        #expect(stepped.server.connections.count == 2)
        slow.send("Host")
        try stepped.pass(seconds: 1.1)
        #expect(try slow.answer()?.status == 408)
        #expect(try slow.isClosed())
        #expect(try silent.isClosed())
        #expect(stepped.observer.seen.statuses == [.requestTimeout: 1])
    }

    @Test("The 10 s are counted from the first byte, and the bytes that follow do not renew them")
    func firstByte() throws {
        let stepped = try SteppedServer()
        let client = try stepped.client()
        try stepped.pass(seconds: 8)
        for byte in "GET /metr".utf8 {
            client.send([byte])
            try stepped.pass(seconds: 1)
        }
        #expect(!client.isReadable())
        try stepped.pass(seconds: 2)
        #expect(try client.answer()?.status == 408)
    }

    @Test("A body that does not come gets 408 too")
    func bodyDeadline() throws {
        let stepped = try SteppedServer()
        let client = try stepped.client(sending: request("GET", "/", "Content-Length: 5") + "abc")
        try stepped.pass(seconds: 10.1)
        #expect(try client.answer()?.status == 408)
    }

    @Test("A served connection may wait for two minutes, and its next head has 10 s of its own")
    func idleDeadline() throws {
        let stepped = try SteppedServer()
        let idle = try stepped.client(sending: request())
        let late = try stepped.client(sending: request())
        #expect(try idle.answer()?.status == 200)
        #expect(try late.answer()?.status == 200)
        try stepped.pass(seconds: 119)
        late.send("G")
        try stepped.pass(seconds: 0)
        try stepped.pass(seconds: 2)
        #expect(try idle.isClosed())
        #expect(!late.isReadable())
        try stepped.pass(seconds: 8.1)
        #expect(try late.answer()?.status == 408)
    }

    @Test("64 clients that send a byte per second never fail a scrape, from their own source or another")
    func bytePerSecond() throws {
        let stepped = try SteppedServer()
        var clients: [TestClient] = []
        let bytes = Array(request().utf8)
        let scraper = try stepped.client(sending: request())
        #expect(try scraper.answer()?.status == 200)
        for second in 0..<30 {
            while clients.count < 64 { clients.append(try stepped.client(sending: "G")) }
            for client in clients { client.send([bytes[1 + second % 8]]) }
            try stepped.pass(seconds: 1)
            #expect(try stepped.scrape()?.status == 200)
            #expect(try stepped.scrape(source: 0x7f00_0002)?.status == 200)
            #expect(stepped.server.connections.count <= 64)
            clients.removeAll { $0.isReadable() }
        }
    }

    @Test("A connection of Prometheus that is kept alive outlives 64 slow clients of its source")
    func keptConnection() throws {
        let stepped = try SteppedServer()
        let scraper = try stepped.client(sending: request())
        #expect(try scraper.answer()?.status == 200)
        for _ in 0..<8 {
            var clients: [TestClient] = []
            for _ in 0..<12 { clients.append(try stepped.client(sending: "GET /")) }
            try stepped.pass(seconds: 1.5)
            scraper.send(request())
            try stepped.turn { scraper.isReadable() }
            #expect(try scraper.answer()?.status == 200)
        }
    }

    @Test("One source holds 16 connections, all together 64")
    func bounds() throws {
        let stepped = try SteppedServer()
        var clients: [TestClient] = []
        for _ in 0..<20 { clients.append(try stepped.client()) }
        #expect(stepped.server.connections.count == 16)
        #expect(try clients[3].isClosed())
        #expect(!clients[4].isReadable())
        for source in 2..<8 as Range<UInt32> {
            for _ in 0..<16 { clients.append(try stepped.client(source: 0x7f00_0000 + source)) }
        }
        #expect(stepped.server.connections.count == 64)
        #expect(try stepped.scrape(source: 0x7f00_0063)?.status == 200)
        #expect(try stepped.scrape()?.status == 200)
    }

    @Test("Where everybody is being answered, a newcomer gets 503 and an end")
    func noRoom() throws {
        var limits = ExporterLimits()
        limits.connections = 2
        let stepped = try SteppedServer(page: TestPage(size: 12_000_000), limits: limits)
        let readers = try [0x7f00_0002, 0x7f00_0003].map {
            try stepped.client(source: $0, receiveBuffer: 4096, sending: request())
        }
        #expect(stepped.server.connections.count { $0.phase == .writing } == readers.count)
        let newcomer = try stepped.client()
        let answer = try #require(try newcomer.answer())
        #expect(answer.status == 503 && answer.text == "too many connections\n")
        #expect(try newcomer.isClosed())
        // Who has stopped reading for a second makes way.
        try stepped.pass(seconds: 1.1)
        #expect(try stepped.answer(to: request("GET", "/healthz"), source: 0x7f00_0004)?.status == 200)
    }

    @Test("A request that has arrived is answered before its connection could give way")
    func lastChance() throws {
        let stepped = try SteppedServer()
        var clients: [TestClient] = []
        for _ in 0..<16 { clients.append(try stepped.client(sending: "GET /metr")) }
        // The oldest completes its head, and a newcomer is accepted in the same turn.
        clients[0].send("ics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        clients.append(try stepped.client(sending: request()))
        #expect(try clients[0].answer()?.status == 200)
        #expect(try clients[16].answer()?.status == 200)
    }

    @Test("A reader that takes nothing for 30 s is reset, and its page is free again")
    func writeDeadline() throws {
        let stepped = try SteppedServer(page: TestPage(size: 12_000_000))
        let stopped = try stepped.client(receiveBuffer: 4096, sending: request())
        try stepped.pass(seconds: 29)
        #expect(stepped.server.connections.count == 1)
        // The kernel may have taken some more of it in these turns, from which the 30 s then count.
        for _ in 0..<3 { try stepped.pass(seconds: 30.1) }
        #expect(stepped.server.connections.isEmpty)
        #expect(stepped.server.pagePool.inFlight == 0)
        #expect(throws: TestClient.Failure.self) { try stopped.answer() }
    }

    @Test("64 readers that stop neither fail a scrape nor make the exporter hold 64 pages")
    func slowReaders() throws {
        var limits = ExporterLimits()
        limits.pagesInFlight = 8
        let stepped = try SteppedServer(page: TestPage(size: 5_000_000), limits: limits)
        var readers: [TestClient] = []
        for round in 0..<8 as Range<UInt32> {
            for _ in 0..<8 {
                readers.append(
                    try stepped.client(source: 0x7f00_0001 + round % 5, receiveBuffer: 4096, sending: request()))
            }
            try stepped.pass(seconds: 1.1)
            #expect(stepped.server.pagePool.inFlight <= 8)
            let scraper = try stepped.client(sending: request("GET", "/metrics", "Accept-Encoding: gzip"))
            try stepped.turn { scraper.hasAnswer() }
            #expect(try scraper.answer()?.status == 200)
        }
    }

    @Test("Requests of one turn share one rendering, and later ones get a new one")
    func sharedRendering() throws {
        let stepped = try SteppedServer()
        let clients = try (0..<10).map { _ in try TestClient(port: stepped.port) }
        for client in clients { client.send(request()) }
        try stepped.turn { clients.allSatisfy { $0.isReadable() } }
        let pages = Set(try clients.map { try $0.answer()?.text })
        #expect(pages == ["test_renderings_total 1\n"])
        #expect(try stepped.scrape()?.text == "test_renderings_total 2\n")
    }

    @Test("An error is followed by a bounded wait for the client's end")
    func linger() throws {
        let stepped = try SteppedServer()
        let client = try stepped.client(sending: "\0")
        #expect(try client.answer()?.status == 400)
        #expect(stepped.server.connections.count == 1)
        try stepped.pass(seconds: 2.1)
        #expect(stepped.server.connections.isEmpty)
        // More bytes than are thrown away end it at once.
        let flood = try stepped.client(sending: "\0")
        flood.send([UInt8](repeating: 0, count: 70_000))
        try stepped.turn { stepped.server.connections.isEmpty }
    }

    @Test("Without descriptors the spare one lets a client in, then the slowest one makes way")
    func spareDescriptor() throws {
        let stepped = try SteppedServer()
        let slow = try stepped.client(sending: "GET")
        #expect(stepped.server.isOutOfDescriptors == false)
        #expect(stepped.server.freeDescriptor())
        #expect(stepped.server.isOutOfDescriptors)
        #expect(stepped.server.connections.count == 1)
        #expect(stepped.server.freeDescriptor())
        #expect(try slow.isClosed())
        #expect(stepped.server.isOutOfDescriptors == false)
        #expect(stepped.server.freeDescriptor())
        #expect(stepped.server.freeDescriptor() == false)
        stepped.server.refillReserve()
        #expect(stepped.server.isOutOfDescriptors == false)
    }
}
