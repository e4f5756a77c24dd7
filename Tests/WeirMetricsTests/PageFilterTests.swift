import Testing

@testable import WeirMetrics

@Suite struct PageFilterTests {
    private static func registry() throws -> MetricsRegistry {
        let registry = MetricsRegistry(shardCount: 0)
        for route in ["ssh", "dns", "a,route=\"dns\""] {
            let opened = try registry.counter(.counter("tcp_opened_total", labels: ["route"]), labels: [route])
            let closed = try registry.counter(
                .counter("tcp_closed_total", labels: ["reason", "route"]), labels: ["eof", route])
            _ = try registry.derivedGauge(
                .gauge("tcp_active", labels: ["route"]), labels: [route], beginnings: [opened], endings: [closed])
            opened.add(2)
            closed.add(1)
            _ = try registry.histogram(.seconds("dial_seconds", buckets: [1], labels: ["route"]), labels: [route])
        }
        _ = try registry.gauge(.gauge("process_fds"))
        return registry
    }

    private static func lines(_ filter: PageFilter) throws -> [String] {
        var buffer = ScrapeBuffer()
        let count = try registry().render(into: &buffer, filter: filter)
        let lines = buffer.text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
        #expect(lines.count == count)
        return lines
    }

    @Test func `a label's values select series, and families without it are left out`() throws {
        #expect(
            try Self.lines(PageFilter(labels: ["route": ["dns"]])) == [
                #"tcp_opened_total{route="dns"} 2"#, #"tcp_closed_total{reason="eof",route="dns"} 1"#,
                #"tcp_active{route="dns"} 1"#, #"dial_seconds_bucket{route="dns",le="1e-09"} 0"#,
                #"dial_seconds_bucket{route="dns",le="+Inf"} 0"#, #"dial_seconds_sum{route="dns"} 0"#,
                #"dial_seconds_count{route="dns"} 0"#,
            ])
        #expect(try Self.lines(PageFilter(labels: ["route": ["dn", "ns", "dns\""]])) == [])
        #expect(try Self.lines(PageFilter(labels: ["reason": ["eof"], "route": ["ssh", "dns"]])).count == 2)
    }

    @Test func `a value that looks like a pair is only itself`() throws {
        let lines = try Self.lines(PageFilter(names: ["tcp_active"], labels: ["route": ["a,route=\"dns\""]]))
        #expect(lines == [#"tcp_active{route="a,route=\"dns\""} 1"#])
    }

    @Test(
        arguments: [
            (["tcp_*"], 9), (["*"], 22), (["*_total", "process_fds"], 7), (["dial_seconds_bucket"], 12),
            (["tcp_active"], 3), (["tcp"], 0), (["*active*"], 3), (["t*p_*_t*l"], 6), ([""], 0), (["**"], 22),
        ] as [([String], Int)])
    func `names are patterns`(names: [String], count: Int) throws {
        #expect(try Self.lines(PageFilter(names: names)).count == count)
    }

    @Test func `a header stands only over series that are shown`() throws {
        var buffer = ScrapeBuffer()
        try Self.registry().render(
            into: &buffer, format: .openMetrics100,
            filter: PageFilter(names: ["process_*", "tcp_*"], labels: ["route": ["x"]]))
        #expect(buffer.text == "# EOF\n")
    }

    @Test func `a pattern of many stars ends soon`() {
        let name = Array(String(repeating: "a", count: 200).utf8)
        #expect(!PageFilter.fits(name, Array(String(repeating: "*a", count: 100).utf8) + [UInt8(ascii: "b")]))
        #expect(PageFilter.fits(name, Array(String(repeating: "*a", count: 100).utf8)))
    }
}
