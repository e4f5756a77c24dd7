import Testing
import WeirMetrics

@testable import WeirExporter

/// Pages that are made in pieces, of which each turn has one. Nothing is timed: pieces and renderings are counted.
@Suite struct PagePieceTests {
    private static let gzip = request("GET", "/metrics", "Accept-Encoding: gzip")

    @Test("Health is answered between two pieces, and between two steps of compressing", arguments: [true, false])
    func health(isCompressed: Bool) throws {
        let page = TestPage(size: 3_000_000, pieceSize: isCompressed ? .max : 10_000)
        let stepped = try SteppedServer(page: page)
        let scraper = try stepped.client(sending: isCompressed ? Self.gzip : request())
        var probes = 0
        for _ in 0..<500 where !scraper.hasAnswer() {
            let probe = try TestClient(port: stepped.port)
            probe.send(request("GET", "/healthz"))
            let (pieces, steps) = (page.pieces, stepped.server.rendering?.steps ?? 0)
            try stepped.turn { probe.hasAnswer() }
            #expect(page.pieces - pieces <= 1)
            if let current = stepped.server.rendering { #expect(current.steps - steps <= 1) }
            #expect(try probe.answer()?.status == 200)
            probes += 1
        }
        #expect(probes >= 8 && page.renderings == 1)
        let answer = try #require(try scraper.answer())
        #expect((isCompressed ? gunzip(answer.body) : answer.body) == TestPage(size: 3_000_000).bytes())
    }

    @Test("A scrape waits for no more than the part that is being made")
    func scrapeBeforeParts() throws {
        let page = TestPage(size: 100_000, pieceSize: 10_000)
        let stepped = try SteppedServer(page: page)
        let crowd = try (0..<40).map { number in
            let client = try TestClient(port: stepped.port, source: 0x7f00_0002 + UInt32(number % 4))
            client.send(String(repeating: request("GET", "/metrics?route=r\(number)"), count: 3))
            return client
        }
        try stepped.turn { page.renderings >= 2 }
        for _ in 0..<5 {
            let scraper = try TestClient(port: stepped.port)
            scraper.send(request())
            let (renderings, pieces) = (page.renderings, page.pieces)
            try stepped.turn { scraper.hasAnswer() }
            #expect(page.renderings - renderings <= 2 && page.pieces - pieces <= 22)
            #expect(try !scraper.answer()!.text.contains("test_filtered"))
        }
        try stepped.turn { crowd.allSatisfy { $0.hasAnswer() } }
    }

    @Test("A request that comes while a page is being made gets the next one; gzip and plain share a rendering")
    func laterRequests() throws {
        let page = TestPage(size: 1_000_000, pieceSize: 50_000)
        let stepped = try SteppedServer(page: page)
        let first = try (0..<4).map { number in
            let client = try TestClient(port: stepped.port)
            client.send(number % 2 == 0 ? request() : Self.gzip)
            return client
        }
        try stepped.turn { page.pieces >= 5 }
        let later = try stepped.client(sending: request())
        for client in first { try stepped.turn { client.hasAnswer() } }
        let bodies = Set(try first.map { try $0.answer()!.body })
        #expect(Set(bodies.map { gunzip($0) ?? $0 }) == [TestPage(size: 1_000_000).bytes()])
        #expect(bodies.count == 2)
        try stepped.turn { later.hasAnswer() }
        #expect(try later.answer()!.text.hasPrefix("test_renderings_total 2\n"))
        #expect(page.renderings == 2)
    }

    @Test("A page that no client waits for any more is given up", arguments: [true, false])
    func abandoned(isCompressed: Bool) throws {
        let page = TestPage(size: 3_000_000, pieceSize: isCompressed ? .max : 10_000)
        let stepped = try SteppedServer(page: page)
        do {
            // Closing with an answer that was not read is a reset.
            let client = try TestClient(port: stepped.port)
            client.send(request("GET", "/healthz") + (isCompressed ? Self.gzip : request()))
            try stepped.turn { stepped.server.rendering != nil && client.isReadable() }
            withExtendedLifetime(client) {}
        }
        try stepped.turn { stepped.server.rendering == nil }
        #expect(page.dropped == (isCompressed ? 0 : 1))
        #expect(page.pieces < 20)
        #expect(stepped.server.pagePool.inFlight == 0 && stepped.server.connections.isEmpty)
        #expect(try stepped.scrape()?.status == 200)
    }

    @Test("A part gives way to a whole page that is being written, but not for ever")
    func giveWay() throws {
        let page = TestPage()
        let stepped = try SteppedServer(page: page)
        let client = try TestClient(port: stepped.port)
        client.send(request("GET", "/metrics?route=r"))
        try stepped.turn { !stepped.server.connections.isEmpty || page.renderings > 0 }
        var turns = 0
        let other = try TestClient(port: stepped.port)
        other.send(request("GET", "/metrics?route=s"))
        for _ in 0..<200 where page.renderings < 2 {
            stepped.server.noteWritten(1, isScrape: true, isMore: true)
            stepped.loop.turn(mayWait: false)
            turns += 1
        }
        #expect(page.renderings == 2 && turns > 10 && turns < 40)
    }

    @Test("However many write, a turn has an end, and each has a share")
    func writeBudget() throws {
        let stepped = try SteppedServer()
        var total = 0
        for number in 0..<64 {
            let isScrape = number % 3 == 0
            let budget = stepped.server.writeBudget.limit(isScrape: isScrape)
            #expect(budget >= 65_536)
            stepped.server.noteWritten(budget, isScrape: isScrape, isMore: false)
            total += budget
        }
        #expect(total <= 12 << 20 + 64 * 65_536)
        stepped.loop.turn(mayWait: false)
        #expect(stepped.server.writeBudget.limit(isScrape: true) == 4 << 20)
        #expect(stepped.server.writeBudget.limit(isScrape: false) == 512 << 10)
    }

    @Test("A registry's page is the same in pieces, plain and compressed, in every format")
    func registry() throws {
        let registry = MetricsRegistry(shardCount: 1, nativeHistogramSchema: 3)
        let counter = MetricDescriptor(name: "a_total", help: "A.", kind: .counter, labelNames: ["route"])
        let histogram = MetricDescriptor(
            name: "b_seconds", help: "B.", kind: .histogram(buckets: [1 << 20, 1 << 30]), unit: "seconds",
            scale: .nanosecondsAsSeconds, labelNames: ["route"])
        for index in 0..<12_000 {
            let label = ["route \(index)"]
            try registry.counter(counter, labels: label).add(UInt64(index), shard: 0)
            if index < 1500 {
                try registry.histogram(histogram, labels: label)
                    .observe(raw: UInt64(index) << 20, shard: 0)
            }
        }
        let types = [
            ExpositionFormat.text004: "text/plain", .openMetrics100: "application/openmetrics-text",
            .delimitedProtobuf:
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        ]
        let stepped = try SteppedServer(page: RegistryPage(registry))
        for (format, type) in types {
            var buffer = ScrapeBuffer()
            registry.render(into: &buffer, format: format)
            let whole = unsafe buffer.withUnsafeBytes { unsafe Array($0) }
            for coding in ["identity", "gzip"] {
                let client = try TestClient(port: stepped.port)
                client.send(request("GET", "/metrics", "Accept: \(type)", "Accept-Encoding: \(coding)"))
                var steps = 0
                try stepped.turn {
                    steps = max(steps, stepped.server.rendering?.steps ?? 0)
                    return client.hasAnswer()
                }
                let body = try #require(try client.answer()).body
                #expect(steps >= 1)
                #expect((coding == "gzip" ? gunzip(body) : body) == whole, "\(format), \(coding)")
            }
        }
    }
}
