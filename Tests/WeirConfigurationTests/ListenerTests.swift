import Testing

@testable import WeirConfiguration

@Suite("Listeners and loops") struct ListenerTests {
    /// Two routes with these listeners, to a target that is no listener.
    private func pair(_ first: String, _ second: String) -> [String] {
        errors(
            """
            routes:
              a: { host: 192.0.2.1, port: 80:8000, \(first) }
              b: { host: 192.0.2.1, port: 80:8000, \(second) }
            """)
    }

    @Test(
        "Overlapping listeners clash",
        arguments: [
            ("scheme: tcp", "scheme: tcp", "*:80 is also the listener"),
            ("scheme: tcp", "scheme: tcp4", "0.0.0.0:80 overlaps the listener *:80"),
            ("scheme: tcp", "scheme: tcp6", "[::]:80 overlaps the listener *:80"),
            ("scheme: tcp", "scheme: tcp4, bind: 0.0.0.0", "0.0.0.0:80 overlaps the listener *:80"),
            ("scheme: tcp, bind: '::'", "scheme: tcp, bind: 0.0.0.0", "0.0.0.0:80 overlaps the listener *:80"),
            ("scheme: tcp4", "scheme: tcp, bind: 192.0.2.9", "192.0.2.9:80 overlaps the listener 0.0.0.0:80"),
            ("scheme: tcp, bind: 192.0.2.9", "scheme: tcp", "*:80 overlaps the listener 192.0.2.9:80"),
            (
                "scheme: tcp, bind: '::ffff:192.0.2.9'", "scheme: tcp4, bind: 192.0.2.9",
                "192.0.2.9:80 is also the listener"
            ),
            ("scheme: tcp6", "scheme: tcp, bind: '::1'", "[::1]:80 overlaps the listener [::]:80"),
            ("scheme: tcp6, bind: '0::1'", "scheme: tcp, bind: '::1'", "[::1]:80 is also the listener"),
        ])
    func clash(first: String, second: String, expected: String) {
        #expect(
            pair(first, second) == [
                "weir.yml:3:31: error: route `b`: the TCP listener \(expected) of route `a` (line 2)"
            ])
    }

    @Test(
        "Distinct listeners do not clash",
        arguments: [
            ("scheme: tcp", "scheme: udp"), ("scheme: tcp4", "scheme: tcp6"),
            ("scheme: tcp4", "scheme: tcp6, bind: '::'"),
            ("scheme: tcp, bind: 127.0.0.1", "scheme: tcp, bind: 127.0.0.2"),
            ("scheme: tcp, bind: 127.0.0.1", "scheme: tcp, bind: '::1'"),
            ("scheme: tcp, bind: fe80::1%a", "scheme: tcp, bind: fe80::1%b"),
            ("scheme: tcp4", "scheme: tcp, bind: '::1'"),
        ])
    func noClash(first: String, second: String) {
        #expect(pair(first, second) == [])
    }

    @Test("A route over the exporter's listener is refused")
    func exporter() {
        #expect(
            errors("routes:\n  a: {scheme: tcp, host: h, port: 9847:80}\n") == [
                "weir.yml:2:35: error: route `a`: the TCP listener *:9847 overlaps the listener "
                    + "127.0.0.1:9847 of the exporter"
            ])
        #expect(
            errors("exporter: {listen: '[::]:80'}\nroutes:\n  a: {scheme: tcp4, host: h, port: 80:1}\n") == [
                "weir.yml:3:36: error: route `a`: the TCP listener 0.0.0.0:80 overlaps the listener *:80 of "
                    + "the exporter (line 1)"
            ])
    }

    @Test(
        "A route that leads into itself is a loop",
        arguments: [
            ("scheme: tcp", "localhost"), ("scheme: tcp4", "LOCALHOST."), ("scheme: tcp", "127.0.0.1"),
            ("scheme: tcp4", "127.9.9.9"),
            ("scheme: tcp6", "'::1'"), ("scheme: udp", "0.0.0.0"), ("scheme: udp", "'::ffff:127.0.0.1'"),
            ("scheme: tcp, bind: 192.0.2.9", "192.0.2.9"), ("scheme: tcp, bind: 127.0.0.1", "localhost"),
            ("scheme: tcp6, bind: 2001:db8::1", "'[2001:DB8:0::1]'"),
        ])
    func ownLoop(listener: String, host: String) {
        let found = errors("routes:\n  a: { \(listener), port: 53, host: \(host) }\n")
        #expect(found.count == 1)
        #expect(found.first?.contains("error: route `a`: a loop: the target") == true)
        #expect(found.first?.contains("is its own listener, ") == true)
    }

    @Test("The default host counts, and the port is the place then")
    func defaultHost() {
        #expect(
            errors("routes:\n  dns: { scheme: udp4, port: 53:53 }\n") == [
                "weir.yml:2:30: error: route `dns`: a loop: the target localhost:53 is its own listener, "
                    + "0.0.0.0:53; set `host` or "
                    + "`port` to another server"
            ])
    }

    @Test("A route that leads into another route is a loop")
    func otherLoop() {
        let text = """
            routes:
              a: { scheme: tcp, host: 192.0.2.9, port: 1:2 }
              b: { scheme: tcp, bind: 192.0.2.9, host: localhost, port: 2:1 }
            """
        #expect(
            errors(text) == [
                "weir.yml:2:27: error: route `a`: a loop: the target 192.0.2.9:2 is the listener of route `b` "
                    + "(line 3), 192.0.2.9:2; "
                    + "set `host` or `port` to another server",
                "weir.yml:3:44: error: route `b`: a loop: the target localhost:1 is the listener of route `a` "
                    + "(line 2), *:1; set "
                    + "`host` or `port` to another server",
            ])
    }

    @Test(
        "A route to the exporter goes around `exporter.allow`",
        arguments: [
            ("exporter: { listen: 127.0.0.1:9000 }", "localhost", 9000, " (line 1), 127.0.0.1:9000"),
            ("exporter: { listen: ['[::1]:1', 0.0.0.0:9000] }", "127.0.0.1", 9000, " (line 1), 0.0.0.0:9000"),
            ("exporter: { listen: 192.0.2.9:9000 }", "192.0.2.9", 9000, " (line 1), 192.0.2.9:9000"),
            ("x-none: 1", "localhost", 9847, ", 127.0.0.1:9847"),
        ])
    func exporter(section: String, host: String, port: Int, place: String) {
        let text = "\(section)\nroutes:\n  a: { scheme: tcp, host: \(host), port: 80:\(port) }\n"
        #expect(
            errors(text) == [
                "weir.yml:3:27: error: route `a`: a way around `exporter.allow`: the target \(host):\(port) is the "
                    + "listener of the exporter\(place); set `host` or `port` to another server"
            ])
        // UDP is another port.
        #expect(errors(text.replacing("scheme: tcp", with: "scheme: udp")).isEmpty)
    }

    @Test(
        "The same port elsewhere, or with the other transport, is no loop",
        arguments: [
            "a: { scheme: tcp, host: 192.0.2.9, port: 53 }",
            "a: { scheme: tcp, bind: 192.0.2.9, host: localhost, port: 53 }",
            "a: { scheme: tcp6, host: 127.0.0.1, port: 53 }",
            "a: { scheme: tcp, host: localhost.example, port: 53 }",
        ])
    func noLoop(route: String) {
        #expect(errors("routes:\n  \(route)\n") == [])
        #expect(errors("routes:\n  a: {scheme: tcp, port: 1:2}\n  b: {scheme: udp, port: 2:1}\n") == [])
    }
}
