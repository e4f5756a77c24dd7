import NetworkTypes
import Testing
import WeirConfiguration

@Suite("Shapes of a listener: ranges, several addresses, both transports")
struct ListenerShapeTests {
    private func routes(_ lines: String...) throws -> [RouteConfiguration] {
        try load("routes:\n" + lines.map { "  \($0)\n" }.joined()).routes
    }

    private func found(_ lines: String...) -> [String] {
        errors("routes:\n" + lines.map { "  \($0)\n" }.joined())
    }

    @Test("A range has a listener for each port, and each port its target")
    func range() throws {
        let route = try routes("rtp: {scheme: udp, port: \"30000-30002:40000-40002\", host: 192.0.2.5}")[0]
        #expect(try route.listeners.map(\.address.label) == (30000...30002).map { "udp://*:\($0)" })
        #expect(try route.listeners.map(\.portShift) == [0, 1, 2])
        #expect(route.listenText == "udp://*:30000-30002" && route.upstreamText == "192.0.2.5:40000-40002")
        #expect(try route.targets.map(\.description) == ["192.0.2.5:40000"])
        let fanIn = try routes("rtp: {scheme: udp, port: \"30000-30002:22\", host: 192.0.2.5}")[0]
        #expect(try fanIn.listeners.map(\.portShift) == [0, 0, 0] && fanIn.upstreamText == "192.0.2.5:22")
    }

    @Test("A list of ports is one route; an upstream with a port of its own gets the clients of all")
    func list() throws {
        let route = try routes(
            "mail: {scheme: tcp, port: [\"25:25\", \"465:465\", 587], upstreams: [192.0.2.8, \"192.0.2.9:2525\"]}")[0]
        #expect(try route.listeners.map(\.address.port) == [25, 465, 587])
        #expect(try route.listeners.map(\.portShift) == [0, 440, 562])
        #expect(route.upstreamTexts == ["192.0.2.8:25,465,587", "192.0.2.9:2525"])
        #expect(try route.targets.map(\.isPortFixed) == [false, true])
    }

    @Test("Several addresses; 0.0.0.0 takes IPv4 from the wildcard of both families")
    func addresses() throws {
        let route = try routes(
            "a: {scheme: tcp, bind: [192.0.2.1, \"2001:db8::1\"], port: \"53-54\", host: 192.0.2.5}")[0]
        #expect(
            try route.listeners.map(\.address.addressText) == [
                "192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.1:54", "[2001:db8::1]:54",
            ])
        #expect(route.listenText == "tcp://192.0.2.1:53-54,tcp://[2001:db8::1]:53-54")
        let both = try routes("a: {scheme: tcp, bind: [\"::\", 0.0.0.0], port: 53, host: 192.0.2.5}")[0]
        #expect(try both.listeners.map(\.address.label) == ["tcp6://[::]:53", "tcp://0.0.0.0:53"])
        #expect(try routes("a: {scheme: tcp, bind: off, port: 53, host: 192.0.2.5}")[0].bind.isEmpty)
    }

    @Test("Both transports are two routes of one name, each with the settings of its own")
    func bothTransports() throws {
        let halves = try routes(
            "dns: {scheme: tcp4+udp4, port: \"53:5353\", host: 192.0.2.5, idle_timeout: 9s, responses: 1, "
                + "dial_timeout: 2s}")
        #expect(halves.map(\.scheme) == [.tcp4, .udp4] && halves.map(\.name) == ["dns", "dns"])
        #expect(halves[0].tcp?.idleTimeout == .seconds(9) && halves[1].udp?.idleTimeout == .seconds(9))
        #expect(halves[0].tcp?.dialTimeout == .seconds(2) && halves[1].udp?.responses == 1)
        #expect(try load("defaults: {scheme: tcp+udp}\nroutes:\n  a: {port: 53, host: 192.0.2.5}\n").routes.count == 2)
    }

    @Test("A reload says of both halves together what has changed")
    func changes() throws {
        let old = try load("routes:\n  a: {scheme: tcp+udp, port: 53, host: 192.0.2.5}\n")
        let new = try load("routes:\n  a: {scheme: tcp+udp, port: \"53-54\", host: 192.0.2.5}\n")
        #expect(new.changes(from: old).map(\.description) == ["routes.a.port: 53 is now 53-54"])
        let tcp = try load("routes:\n  a: {scheme: tcp, port: 53, host: 192.0.2.5}\n")
        #expect(tcp.changes(from: old).map(\.path) == ["routes.a"] && tcp.changes(from: old)[0].new == nil)
        #expect(old.changes(from: tcp).map(\.path) == ["routes.a"] && old.changes(from: tcp)[0].old == nil)
        let udp = try load("routes:\n  a: {scheme: udp, port: 53, host: 192.0.2.5}\n")
        #expect(udp.changes(from: tcp).map(\.path).first == "routes.a.scheme")
    }

    @Test(
        "What does not fit is told at its place",
        arguments: [
            ("port: \"30-20\"", "did you mean `20-30`?"),
            ("port: \"10-20:30-35\"", "one target, found 11 and 6"),
            ("port: [25, \"20-30:5\"]", "`20-30:5` and `25` listen on the same port"),
            ("port: [25, 25]", "`25` is named twice"), ("port: []", "expected 1 to 64 entries, found 0"),
            ("port: 5, bind: []", "expected 1 to 64 entries, found 0"),
            ("port: 5, bind: [192.0.2.1, nowhere]", "`nowhere`"),
            ("port: 5, bind: [192.0.2.1, 192.0.2.1]", "`192.0.2.1` is named twice"),
            ("port: \"1-65535\", bind: [192.0.2.1, 192.0.2.2]", "at most 65536 listening addresses, found 131070"),
            ("port: 5, responses: 1", "`responses` is for UDP routes"),
            ("port: 5, bind: [192.0.2.1, \"::1\"], scheme: tcp4", "scheme `tcp4` listens on IPv4"),
        ])
    func refused(setting: String, message: String) throws {
        let scheme = setting.contains("scheme") ? "" : "scheme: tcp, "
        let errors = found("a: {\(scheme)\(setting), host: 192.0.2.5}")
        #expect(errors.count == 1 && errors[0].contains(message), "\(errors)")
    }

    // MARK: Unix sockets

    @Test("A route on Unix sockets alone needs no port; one that it has is the upstream's")
    func sockets() throws {
        let route = try routes("db: {scheme: tcp, bind: \"unix:/run/weir/db.sock\", host: \"unix:/run/db.sock\"}")[0]
        #expect(try route.listeners.map(\.address.label) == ["unix:/run/weir/db.sock"])
        #expect(route.listenText == "unix:/run/weir/db.sock" && route.ports.isEmpty && route.listenerCount == 1)
        #expect(route.tcp?.unixMode == 0o660)
        let mixed = try routes(
            "db: {scheme: tcp, bind: [127.0.0.1, \"unix:@db\"], port: \"5432-5433:6432-6433\", host: 192.0.2.5, "
                + "unix_mode: \"0600\"}")[0]
        #expect(mixed.listenText == "tcp://127.0.0.1:5432-5433,unix:@db" && mixed.listenerCount == 3)
        #expect(try mixed.listeners.map(\.portShift) == [0, 1, 0] && mixed.tcp?.unixMode == 0o600)
        let target = try routes("db: {scheme: tcp, bind: \"unix:@db\", port: 5432, host: 192.0.2.5}")[0]
        #expect(try target.targets.map(\.description) == ["192.0.2.5:5432"] && target.listenerCount == 1)
        let own = try routes("db: {scheme: tcp, bind: \"unix:@db\", upstreams: [\"192.0.2.5:5432\"]}")[0]
        #expect(try own.targets.map(\.description) == ["192.0.2.5:5432"])
    }

    @Test(
        "What does not fit a Unix socket is told",
        arguments: [
            ("scheme: udp, bind: \"unix:/run/a.sock\"", "is a Unix socket, which carries connections"),
            ("scheme: tcp, bind: \"unix:relative\"", "expected an absolute path"),
            ("scheme: tcp, bind: \"unix:/run/\"", "expected an absolute path"),
            ("scheme: tcp, bind: \"unix:/" + String(repeating: "a", count: 120) + "\"", "at most 107 bytes"),
            ("scheme: tcp, bind: \"unix:@a\", port: \"5:6\"", "expected one `port`, that of the upstream"),
            ("scheme: tcp, bind: \"unix:@a\", port: 5-6", "expected one `port`, that of the upstream"),
            ("scheme: tcp, bind: \"unix:@a\"", "the upstream `192.0.2.5` has no port, and the route has no `port`"),
            ("scheme: tcp, bind: \"unix:@a\", port: 5, unix_mode: \"999\"", "expected permissions in octal"),
        ])
    func refusedSockets(settings: String, message: String) {
        let errors = found("a: {\(settings), host: 192.0.2.5}")
        #expect(errors.contains { $0.contains(message) }, "\(errors)")
    }

    @Test("One path has one listener, and is no upstream of its own route")
    func socketClashes() {
        let errors = errors(
            """
            exporter: {listen: "unix:/run/x.sock"}
            routes:
              a: {scheme: tcp, bind: "unix:/run/a.sock", port: 5, host: 192.0.2.5}
              b: {scheme: tcp, bind: ["unix:@b", "unix:/run/a.sock"], port: 5, host: 192.0.2.5}
              c: {scheme: tcp, bind: "unix:/run/x.sock", port: 5, host: 192.0.2.5}
              d: {scheme: tcp, port: 5, host: "unix:@b"}

            """)
        #expect(errors.count == 3, "\(errors)")
        #expect(errors[0].contains("unix:/run/a.sock is also the listener of route `a` (line 3)"))
        #expect(errors[1].contains("unix:/run/x.sock is also the listener of the exporter (line 1)"))
        #expect(errors[2].contains("route `d`: a loop: the target unix:@b is the listener of route `b` (line 4)"))
    }

    // MARK: Clashes

    @Test("Ranges that overlap are told once, with both places")
    func overlap() {
        #expect(
            found(
                "a: {scheme: udp, port: \"100-200\", host: 192.0.2.5}",
                "b: {scheme: udp, port: \"150-160\", host: 192.0.2.5}",
                "c: {scheme: udp, bind: 127.0.0.1, port: \"10-20\", host: 192.0.2.5}",
                "d: {scheme: udp, bind: 127.0.0.2, port: \"10-20\", host: 192.0.2.5}",
                "e: {scheme: tcp, port: \"100-200\", host: 192.0.2.5}",
                "f: {scheme: udp, bind: [127.0.0.2, 127.0.0.3], port: [5, \"20-25\"], host: 192.0.2.5}"
            ).map { $0.replacing("weir.yml:", with: "") } == [
                "3:26: error: route `b`: the UDP listener *:150-160 overlaps the listener *:100-200 of route `a` (line 2)",
                "7:60: error: route `f`: the UDP listener 127.0.0.2:20-25 overlaps the listener 127.0.0.2:10-20 of "
                    + "route `d` (line 5)",
            ])
    }

    @Test("A target within the range of a listener is a loop")
    func loops() {
        let errors = found(
            "a: {scheme: udp, port: \"100-200:300-400\", host: localhost}",
            "b: {scheme: udp, port: 350, host: 192.0.2.5}",
            "c: {scheme: tcp, port: \"100-200\", host: localhost}")
        #expect(errors.count == 2)
        #expect(errors[0].contains("route `a`: a loop: the target localhost:300-400 is the listener of route `b`"))
        #expect(errors[1].contains("route `c`: a loop: the target localhost:100-200 is its own listener"))
    }

    @Test("Routes with names may share some ports of a range, and no more than that")
    func sharedRange() throws {
        let git = "git: {scheme: tcp, port: 443, host: 192.0.2.7, sni: git.example.net}"
        let rest = "rest: {scheme: tcp, port: \"440-450\", host: 192.0.2.9}"
        #expect(try routes(git, rest).count == 2)
        let errors = found(git, rest, "more: {scheme: tcp, port: \"445-446\", host: 192.0.2.9}")
        #expect(errors.count == 1 && errors[0].contains("*:445-446 overlaps the listener *:440-450 of route `rest`"))
        let twice = found(git, rest, "more: {scheme: tcp, port: \"442-444\", sni: git.example.net, host: 192.0.2.9}")
        #expect(twice.count == 1 && twice[0].contains("`git.example.net` on *:443 is also that of route `git`"))
    }

    @Test("Tens of thousands of ports are compared at once")
    func many() {
        let lines = (0..<600).map {
            "r\($0): {scheme: udp, port: \"\($0 * 100 + 1)-\($0 * 100 + 101)\", host: 192.0.2.5}"
        }
        let errors = errors("routes:\n" + lines.map { "  \($0)\n" }.joined())
        #expect(errors.count == 599)
    }
}
