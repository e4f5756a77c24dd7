import NetworkTypes
import Testing

@testable import WeirConfiguration

@Suite("Valid files") struct ValidFileTests {
    @Test("The smallest file has every documented default")
    func defaults() throws {
        let text = "routes:\n  t: {scheme: tcp, port: 2222:22}\n  u: {scheme: udp, port: 5353:53}\n"
        let loaded = try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: [:])
        #expect(loaded.origin(ofRoute: "t") == .file("weir.yml", SourceLocation(line: 2, column: 3)))
        #expect(loaded.origin(of: "routes", "t", "host") == nil)
        let configuration = loaded.configuration
        #expect(configuration.exporter.listen.map(\.description) == ["127.0.0.1:9847"])
        #expect(configuration.exporter.retiredSeriesTTL == .seconds(300))
        #expect(configuration.exporter.maxSeries == 1_000_000)
        #expect(!configuration.exporter.hasNativeHistograms && configuration.exporter.nativeHistogramSchema == 3)
        #expect(configuration.log == Configuration.Log(level: .info, format: .text))
        #expect(configuration.workers == .automatic)
        #expect(configuration.shutdown == Configuration.Shutdown(delay: .zero, drainTimeout: .seconds(30)))
        #expect(configuration.limits.maxConnections == .automatic)
        let tcp = try #require(configuration.route(named: "t"))
        #expect(tcp.tcp == TCPSettings())
        #expect(tcp.host == .name("localhost"))
        #expect(try tcp.listeners.map(\.address.isDualStack) == [true])
        #expect(tcp.listenText == "tcp://*:2222")
        let settings = try #require(tcp.tcp)
        #expect(settings.dialTimeout == .seconds(5) && settings.idleTimeout == nil && settings.userTimeout == nil)
        #expect(settings.halfCloseTimeout == .seconds(3600) && settings.preDialTimeout == .seconds(5))
        #expect(settings.keepalive == Keepalive(idle: .seconds(60), interval: .seconds(10), count: 6))
        let udp = try #require(configuration.route(named: "u")?.udp)
        #expect(udp.unassuredTimeout == .seconds(30) && udp.idleTimeout == .seconds(300))
        #expect(udp.maxSessions == 16_384 && udp.responses == nil)
    }

    @Test("Every setting is read")
    func everySetting() throws {
        let configuration = try load(
            """
            exporter:
              { listen: "[::1]:9000", retired_series_ttl: 1m, max_series: 5000, native_histograms: true,
                native_histogram_schema: -2 }
            log: { level: debug, format: json }
            workers: 3
            shutdown: { delay: 5s, drain_timeout: 1m }
            limits: { max_connections: 1000 }
            routes:
              b-first:
                scheme: tcp4
                bind: 127.0.0.2
                host: "[2001:db8::7]"
                port: 2222:22
                dial_timeout: 1s
                idle_timeout: 10m
                half_close_timeout: 30s
                keepalive: { idle: 30s, count: 3 }
                tcp_user_timeout: 20s
                pre_dial_timeout: 2s
                max_connections: 7
                defer_accept: 3s
                fast_open: 64
              a.second:
                scheme: udp6
                bind: fe80::1%eth0
                host: 192.0.2.53
                port: "53:53"
                unassured_timeout: 3s
                idle_timeout: 1m
                max_sessions: 10
                responses: 1
            """)
        #expect(configuration.exporter.listen.map(\.description) == ["[::1]:9000"])
        #expect(configuration.exporter.retiredSeriesTTL == .seconds(60))
        #expect(configuration.exporter.maxSeries == 5000)
        #expect(configuration.exporter.hasNativeHistograms && configuration.exporter.nativeHistogramSchema == -2)
        #expect(configuration.log == Configuration.Log(level: .debug, format: .json))
        #expect(configuration.workers == .fixed(3))
        #expect(configuration.shutdown == Configuration.Shutdown(delay: .seconds(5), drainTimeout: .seconds(60)))
        #expect(configuration.limits.maxConnections == .fixed(1000))
        #expect(configuration.routes.map(\.name) == ["b-first", "a.second"])
        let tcp = configuration.routes[0]
        #expect(tcp.listenText == "tcp4://127.0.0.2:2222")
        #expect(tcp.upstreamText == "[2001:db8::7]:22")
        #expect(
            tcp.tcp
                == TCPSettings(
                    dialTimeout: .seconds(1), idleTimeout: .seconds(600), halfCloseTimeout: .seconds(30),
                    keepalive: Keepalive(idle: .seconds(30), interval: .seconds(10), count: 3),
                    userTimeout: .seconds(20),
                    preDialTimeout: .seconds(2), maxConnections: 7, deferAccept: .seconds(3), fastOpen: 64))
        let udp = configuration.routes[1]
        #expect(try udp.listeners.map(\.address.addressText) == ["[fe80::1%eth0]:53"])
        #expect(
            udp.udp
                == UDPSettings(
                    unassuredTimeout: .seconds(3), idleTimeout: .seconds(60), maxSessions: 10, responses: 1))
    }

    @Test("Timers are turned off by `off` or 0", arguments: ["off", "\"off\"", "0", "0s"])
    func off(word: String) throws {
        let configuration = try load(
            "defaults: { idle_timeout: 1m }\n"
                + route(
                    "idle_timeout: \(word)", "tcp_user_timeout: \(word)", "keepalive: off", "defer_accept: off",
                    "fast_open: off"))
        #expect(configuration.routes[0].tcp == TCPSettings(idleTimeout: nil, keepalive: nil, userTimeout: nil))
    }

    @Test("Defaults go under every route, and only where they fit")
    func mergesDefaults() throws {
        let configuration = try load(
            """
            defaults: { scheme: tcp, host: 192.0.2.1, dial_timeout: 9s, responses: 2, idle_timeout: 2m }
            routes:
              a: { port: 1 }
              b: { port: 2, scheme: udp, host: 192.0.2.2 }
              c: { port: 3, dial_timeout: 1s }
            """)
        #expect(configuration.routes[0].tcp == TCPSettings(dialTimeout: .seconds(9), idleTimeout: .seconds(120)))
        #expect(configuration.routes[1].udp == UDPSettings(idleTimeout: .seconds(120), responses: 2))
        #expect(configuration.routes[1].upstreamText == "192.0.2.2:2")
        #expect(configuration.routes[2].tcp?.dialTimeout == .seconds(1))
    }

    @Test("Anchors, aliases, merge keys and `x-` keys work")
    func anchors() throws {
        let configuration = try load(
            """
            x-slow: &slow { dial_timeout: 20s, idle_timeout: 1h }
            x-host: &host { host: 192.0.2.9, dial_timeout: 1s }
            x-unused: { host: "${NOT_SET}" }
            routes:
              a: { <<: *slow, scheme: tcp, port: 1:22, idle_timeout: off }
              b: { <<: [*host, *slow], scheme: tcp, port: &port 2222:22 }
              c: { scheme: udp, port: *port, responses: 1 }
            """)
        #expect(configuration.routes[0].tcp == TCPSettings(dialTimeout: .seconds(20)))
        #expect(configuration.routes[1].tcp == TCPSettings(dialTimeout: .seconds(1), idleTimeout: .seconds(3600)))
        #expect(configuration.routes[1].host == UpstreamHost("192.0.2.9"))
        #expect(configuration.routes[2].upstreamPort == 22)
    }

    @Test("TCP and UDP share a port number, and specific addresses do not clash")
    func sharesPorts() throws {
        let configuration = try load(
            """
            routes:
              a: { scheme: tcp, host: 192.0.2.1, port: 53 }
              b: { scheme: udp, host: 192.0.2.1, port: 53 }
              c: { scheme: tcp4, bind: 127.0.0.1, host: 192.0.2.1, port: 80 }
              d: { scheme: tcp4, bind: 127.0.0.2, host: 192.0.2.1, port: 80 }
              e: { scheme: tcp4, host: 192.0.2.1, port: 81 }
              f: { scheme: tcp6, host: 192.0.2.1, port: 81 }
              g: { scheme: udp, host: 192.0.2.1, port: 9847 }
            """)
        #expect(configuration.routes.count == 7)
    }

    @Test("A byte order mark, CRLF line ends and empty sections are fine")
    func tolerates() throws {
        let bytes: [UInt8] = [0xef, 0xbb, 0xbf] + Array("log:\r\nroutes:\r\n  a: {scheme: tcp, port: 1:2}\r\n".utf8)
        let loaded = try Configuration.parse(bytes: bytes, file: "f", environment: [:])
        #expect(loaded.origin(ofRoute: "a") == .file("f", SourceLocation(line: 3, column: 3)))
        #expect(loaded.warnings.isEmpty)
    }

    @Test("A mapped address to bind becomes IPv4")
    func unmapsBind() throws {
        #expect(try load(route("bind: ::ffff:127.0.0.1")).routes[0].bind == [.ip(.loopbackIPv4)])
    }

    @Test("A route that only moved in the file is the same route")
    func ignoresLocation() throws {
        #expect(try load(route()) == load("# moved\n" + route()))
    }

    @Test("What a reload cannot change is named")
    func reloadDifferences() throws {
        let old = try load(route())
        #expect(old.reloadDifferences(from: old) == [])
        let exporter = "{listen: 127.0.0.1:1, native_histograms: true, native_histogram_schema: 4}"
        let new = try load("workers: 2\nexporter: \(exporter)\nlog: {level: debug}\n" + route())
        #expect(
            new.reloadDifferences(from: old) == [
                "workers", "exporter.listen", "exporter.native_histograms", "exporter.native_histogram_schema",
            ])
    }

    @Test("The reference has every supported route field")
    func reference() {
        let rows = Configuration.fieldReference.split(separator: "\n")
        #expect(rows.first == "| field | for | default | meaning | page |")
        #expect(rows.count == 2 + 46)
        #expect(rows.contains { $0.hasPrefix("| `dial_timeout` | TCP | `5s` | ") })
        #expect(Configuration.settingReference.contains("| `acl.allow_local` | `true` |"))
        #expect(!Configuration.settingReference.contains("`acl.log`"))
        #expect(Configuration.settingReference.contains("| `exporter.listen` | `127.0.0.1:9847` |"))
    }

    @Test("Ten thousand routes are read in seconds")
    func large() throws {
        var text = "x-common: &common { host: 192.0.2.1, dial_timeout: 1s }\nroutes:\n"
        for port in 1...10_000 {
            text += "  r\(port): { <<: *common, scheme: tcp, bind: 127.0.0.1, port: \"\(port % 9_000 + 1):\(port)\" }\n"
        }
        let found = errors(text)
        #expect(found.count == 1_000)
        #expect(
            found.first?.hasPrefix("weir.yml:9003:61: error: route `r9001`: the TCP listener 127.0.0.1:2 is also")
                == true)
    }
}
