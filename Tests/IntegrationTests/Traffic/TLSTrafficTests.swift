#if TLS
import Foundation
import TestSupport
import Testing

extension Integration {
    /// Certificates are made by openssl(1) for each test, with an authority of its own.
    @Suite("TLS: curl, openssl, nginx, HAProxy and Redis", .serialized)
    struct TLSTrafficTests {
        let folder: TemporaryDirectory

        init() throws {
            folder = try TemporaryDirectory("tls")
            try TestCertificate.write("ca", names: [], to: folder, isAuthority: true)
            try TestCertificate.write("a", names: ["a.example.net", "127.0.0.1"], to: folder, authority: "ca")
            try TestCertificate.write("b", names: ["b.example.net", "127.0.0.1"], to: folder, authority: "ca")
            try TestCertificate.write("device", names: ["device-7.example.net"], to: folder, authority: "ca")
        }

        private var certificates: String {
            "tls: { certificates: [\(pair("a")), \(pair("b"))] }"
        }

        private func pair(_ name: String) -> String {
            "{ certificate: \(folder.file(name + ".pem")), key: \(folder.file(name + ".key")) }"
        }

        private var authority: String { folder.file("ca.pem") }

        private func curl(_ name: String, _ port: UInt16, _ path: String, _ more: String...) throws
            -> ChildProcess.Completed
        {
            try ChildProcess.run(
                "curl",
                [
                    "-sSf", "--max-time", "20", "--cacert", authority, "--resolve", "\(name):\(port):127.0.0.1",
                    "https://\(name):\(port)/\(path)",
                ] + more)
        }

        @Test("curl gets files through a route that ends TLS, by either name and version, and all is counted")
        func curlTerminated() throws {
            let nginx = try Nginx(sizes: [1_024, 20_000_000])
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("web", port, to: nginx.port, "tls: true"), rest: certificates)
            for name in ["a.example.net", "b.example.net"] {
                let file = folder.file("out-\(name)")
                let result = try curl(name, port, "20000000", "-o", file)
                #expect(result.succeeded, "\(result)")
                expectBytes(
                    try #require(FileManager.default.contents(atPath: file)), Pattern.bytes(20_000_000), "the file:")
            }
            #expect(try curl("a.example.net", port, "1024", "--tls-max", "1.2", "-o", "/dev/null").succeeded)
            #expect(
                try !curl("a.example.net", port, "1024", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0")
                    .succeeded)
            #expect(try !curl("c.example.net", port, "1024").succeeded)
            let samples = try weir.scrapeWhenIdle("web")
            #expect(samples.total("weir_tls_handshakes_total", ["side": "client", "version": "1.3"]) >= 2)
            #expect(samples.total("weir_tls_handshakes_total", ["side": "client", "version": "1.2"]) == 1)
            #expect(samples.total("weir_tls_handshake_failures_total", ["reason": "version"]) == 1)
            #expect(samples.total("weir_tcp_connections_rejected_total", ["route": "web", "reason": "tls"]) >= 1)
            #expect(try weir.stop() == .code(0))
        }

        @Test("Clients need a certificate of the authority, and without one no upstream is dialed")
        func mutual() throws {
            let nginx = try Nginx(sizes: [1_024])
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("web", port, to: nginx.port, "tls: { client_ca: \(authority) }"), rest: certificates)
            #expect(try !curl("a.example.net", port, "1024").succeeded)
            try weir.scrape(until: "the failure is counted") {
                $0.total("weir_tls_handshake_failures_total", ["reason": "no_certificate"]) == 1
            }
            #expect(try weir.scrape().total("weir_dials_total") == 0)
            let result = try curl(
                "a.example.net", port, "1024", "--cert", folder.file("device.pem"), "--key",
                folder.file("device.key"), "-o", "/dev/null")
            #expect(result.succeeded, "\(result)")
            #expect(try weir.stop() == .code(0))
        }

        @Test("A session that one worker began is resumed by any other", arguments: ["-tls1_2", "-tls1_3"])
        func resumption(version: String) throws {
            // Closes first: a client at the end of its input would not wait for the ticket.
            let server = try TCPServer { connection in try connection.send(connection.receive(6).bytes) }
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port, "tls: true"), rest: certificates + "\nworkers: 2")
            let session = folder.file("session\(version)")
            func connect(_ more: [String]) throws -> String {
                let input = try folder.write("input", "hello\n")
                return try ChildProcess.run(
                    "openssl",
                    [
                        "s_client", "-ign_eof", "-connect", "127.0.0.1:\(port)", version, "-CAfile", authority,
                        "-sess_out",
                        session,
                    ] + more, input: input
                ).output
            }
            #expect(try connect([]).contains("New, TLS"))
            for _ in 0..<8 { #expect(try connect(["-sess_in", session]).contains("Reused, TLS")) }
            let samples = try weir.scrapeWhenIdle("web")
            #expect(samples.total("weir_tls_handshakes_total", ["resumed": "true"]) == 8)
            #expect(try weir.stop() == .code(0))
        }

        @Test("Upstreams are verified: nginx and HAProxy with the right name are reached, and no other")
        func originated() throws {
            let plain = try Nginx(sizes: [5_000_000])
            let (nginxPort, haproxyPort) = (try Ports.free(), try Ports.free())
            let bundle = contents(of: folder.file("a.pem")) + contents(of: folder.file("a.key"))
            try folder.write("a-bundle.pem", bundle)
            let nginx = try TLSPeer.nginx(
                folder,
                "listen 127.0.0.1:\(nginxPort) ssl; ssl_certificate \(folder.file("a.pem"));"
                    + "ssl_certificate_key \(folder.file("a.key")); proxy_pass 127.0.0.1:\(plain.port);", nginxPort)
            let haproxy = try TLSPeer.haproxy(
                folder,
                "frontend f\n bind 127.0.0.1:\(haproxyPort) ssl crt \(folder.file("a-bundle.pem"))\n"
                    + " default_backend b\nbackend b\n server s 127.0.0.1:\(plain.port)\n", haproxyPort)
            let ports = try (0..<4).map { _ in try Ports.free() }
            let weir = try WeirProcess(
                routes: [
                    String.route("nginx", ports[0], to: nginxPort, "upstream_tls: { ca: \(authority) }"),
                    .route("haproxy", ports[1], to: haproxyPort, "upstream_tls: { ca: \(authority) }"),
                    .route(
                        "name", ports[2], to: nginxPort,
                        "upstream_tls: { ca: \(authority), server_name: c.example.net }"),
                    .route("system", ports[3], to: nginxPort, "upstream_tls: true"),
                ].joined(separator: "\n"))
            for port in ports[..<2] {
                for _ in 0..<2 {
                    let file = folder.file("down")
                    let result = try ChildProcess.run(
                        "curl", ["-sSf", "-o", file, "http://127.0.0.1:\(port)/5000000"])
                    #expect(result.succeeded, "\(result)")
                    expectBytes(
                        try #require(FileManager.default.contents(atPath: file)), Pattern.bytes(5_000_000), "the file:")
                }
            }
            for port in ports[2...] {
                #expect(try !ChildProcess.run("curl", ["-sSf", "http://127.0.0.1:\(port)/5000000"]).succeeded)
            }
            let samples = try weir.scrape(until: "the failures are counted") {
                $0.total("weir_dial_failures_total", ["reason": "tls"]) == 2
            }
            #expect(samples.total("weir_tls_handshake_failures_total", ["route": "name", "reason": "name"]) == 1)
            #expect(
                samples.total("weir_tls_handshake_failures_total", ["route": "system", "reason": "unknown_ca"]) == 1)
            for route in ["nginx", "haproxy"] {
                #expect(
                    samples.total("weir_tls_handshakes_total", ["route": route, "resumed": "true"]) == 1, "\(route)")
            }
            withExtendedLifetime((nginx, haproxy)) {}
            #expect(try weir.stop() == .code(0))
        }

        @Test("nginx and HAProxy are clients of a route that ends TLS, with certificates of their own")
        func peersAsClients() throws {
            let plain = try Nginx(sizes: [3_000_000])
            let (port, nginxPort, haproxyPort) = (try Ports.free(), try Ports.free(), try Ports.free())
            let bundle = contents(of: folder.file("device.pem")) + contents(of: folder.file("device.key"))
            try folder.write("device-bundle.pem", bundle)
            let weir = try WeirProcess(
                routes: .route("web", port, to: plain.port, "tls: { client_ca: \(authority) }"), rest: certificates)
            let nginx = try TLSPeer.nginx(
                folder,
                "listen 127.0.0.1:\(nginxPort); proxy_pass 127.0.0.1:\(port); proxy_ssl on;"
                    + "proxy_ssl_certificate \(folder.file("device.pem"));"
                    + "proxy_ssl_certificate_key \(folder.file("device.key"));"
                    + "proxy_ssl_verify on; proxy_ssl_trusted_certificate \(authority); proxy_ssl_name a.example.net;"
                    + "proxy_ssl_server_name on;", nginxPort)
            let haproxy = try TLSPeer.haproxy(
                folder,
                "frontend f\n bind 127.0.0.1:\(haproxyPort)\n default_backend b\nbackend b\n server s 127.0.0.1:\(port)"
                    + " ssl verify required ca-file \(authority) crt \(folder.file("device-bundle.pem"))\n", haproxyPort
            )
            for peer in [nginxPort, haproxyPort] {
                for _ in 0..<3 {
                    let file = folder.file("down")
                    let result = try ChildProcess.run(
                        "curl", ["-sSf", "-o", file, "http://127.0.0.1:\(peer)/3000000"])
                    #expect(result.succeeded, "\(result)")
                    expectBytes(
                        try #require(FileManager.default.contents(atPath: file)), Pattern.bytes(3_000_000), "the file:")
                }
            }
            withExtendedLifetime((nginx, haproxy)) {}
            #expect(try weir.stop() == .code(0))
        }

        @Test("Redis speaks TLS through a route on either side")
        func redis() throws {
            let plain = try Redis()
            let securePort = try Ports.free()
            let secure = try ChildProcess(
                "redis-server",
                [
                    "--port", "0", "--tls-port", "\(securePort)", "--bind", "127.0.0.1", "--save", "", "--dir",
                    folder.path, "--tls-cert-file", folder.file("a.pem"), "--tls-key-file", folder.file("a.key"),
                    "--tls-ca-cert-file", authority, "--tls-auth-clients", "yes",
                ])
            try secure.waitUntilListening(on: securePort)
            let (ended, begun) = (try Ports.free(), try Ports.free())
            let own = "certificate: \(folder.file("device.pem")), key: \(folder.file("device.key"))"
            let weir = try WeirProcess(
                routes: .route("ended", ended, to: plain.port, "tls: true") + "\n"
                    + .route("begun", begun, to: securePort, "upstream_tls: { ca: \(authority), \(own) }"),
                rest: certificates)
            let arguments = ["-t", "set,get", "-n", "5000", "-c", "20", "-d", "200", "-q", "-h", "127.0.0.1", "-p"]
            let first = try ChildProcess.run(
                "redis-benchmark", arguments + ["\(ended)", "--tls", "--cacert", authority])
            #expect(first.succeeded && first.output.contains("GET"), "\(first)")
            let second = try ChildProcess.run("redis-benchmark", arguments + ["\(begun)"])
            #expect(second.succeeded && second.output.contains("GET"), "\(second)")
            let samples = try weir.scrapeWhenIdle("begun")
            #expect(samples.total("weir_tls_handshake_failures_total") == 0)
            #expect(samples.total("weir_tls_handshakes_total", ["side": "upstream"]) >= 40)
            #expect(try weir.stop() == .code(0))
        }

        @Test("Names choose among a route that ends TLS, one that passes it on, and the rest")
        func names() throws {
            let plain = try TCPServer { connection in try connection.send("plain") }
            let port = try Ports.free()
            let passedPort = try Ports.free()
            let passed = try ChildProcess(
                "openssl",
                [
                    "s_server", "-accept", "127.0.0.1:\(passedPort)", "-cert", folder.file("b.pem"), "-key",
                    folder.file("b.key"), "-www", "-quiet",
                ])
            try passed.waitUntilListening(on: passedPort)
            let weir = try WeirProcess(
                routes: [
                    String.route("ended", port, to: plain.port, "sni: a.example.net", "tls: true"),
                    .route("passed", port, to: passedPort, "sni: b.example.net"),
                    .route("rest", port, to: plain.port),
                ].joined(separator: "\n"), rest: certificates)
            let request = try folder.write("request", "GET / HTTP/1.0\n\n")
            func subject(_ name: String) throws -> String {
                try ChildProcess.run(
                    "openssl",
                    [
                        "s_client", "-ign_eof", "-connect", "127.0.0.1:\(port)", "-servername", name, "-CAfile",
                        authority,
                    ], input: request
                ).output
            }
            let first = try subject("a.example.net")
            #expect(first.contains("CN = a\n") || first.contains("subject=CN = a"), "\(first)")
            #expect(first.contains("plain"))
            let second = try subject("b.example.net")
            #expect(second.contains("CN = b"), "\(second)")
            let client = try TestConnection(to: Endpoint(port))
            try client.send("no TLS at all, and long enough")
            #expect(client.receive().text == "plain")
            let samples = try weir.scrapeWhenIdle("ended")
            #expect(samples.total("weir_tls_handshakes_total", ["route": "ended"]) == 1)
            #expect(try weir.stop() == .code(0))
        }

        @Test("Peers that send garbage, stop, reset or only connect end cleanly, and descriptors come back")
        func hostile() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port, "tls: true", "handshake_timeout: 300ms"),
                rest: certificates)
            let before = weir.process.descriptorCount
            let hello: [UInt8] = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3] + [UInt8](repeating: 7, count: 100)
            for _ in 0..<20 {
                let garbage = try TestConnection(to: Endpoint(port))
                try garbage.send("GET / HTTP/1.1\r\n\r\n")
                #expect(garbage.receive().ending == .endOfStream)
                let half = try TestConnection(to: Endpoint(port))
                try half.send(hello)
                try half.shutdownWriting()
                _ = half.receive()
                let probe = try TestConnection(to: Endpoint(port))
                probe.close()
            }
            let silent = try (0..<20).map { _ in
                let client = try TestConnection(to: Endpoint(port))
                try client.send(hello)
                return client
            }
            for client in silent { #expect(client.receive().ending == .reset) }
            let samples = try weir.scrape(until: "all are over") { $0.active("web") == 0 }
            func failures(_ reason: String) -> Int {
                samples.total("weir_tls_handshake_failures_total", ["reason": reason])
            }
            #expect(failures("protocol") == 20)
            #expect(failures("closed") == 20)
            #expect(failures("timeout") == 20)
            #expect(samples.total("weir_tls_handshake_failures_total") == 60)
            #expect(samples.total("weir_tcp_connections_rejected_total", ["reason": "tls"]) == 60)
            #expect(samples.total("weir_tcp_connections_rejected_total", ["reason": "probe"]) == 20)
            try waitUntil("descriptors come back") { weir.process.descriptorCount <= before + 1 }
            #expect(try weir.stop() == .code(0))
        }

        @Test("Certificates that are exchanged every second under load fail no handshake")
        func exchange() throws {
            let nginx = try Nginx(sizes: [1_024])
            let port = try Ports.free()
            for file in ["x.pem", "x.key"] {
                try folder.write(file, contents(of: folder.file("a" + file.dropFirst())))
            }
            let weir = try WeirProcess(
                routes: .route("web", port, to: nginx.port, "tls: { certificates: \(pair("x")) }"))
            let clients = (0..<2).map { _ in
                Repeater { [authority] _ in
                    let result = try ChildProcess.run(
                        "curl", ["-sSf", "-o", "/dev/null", "--cacert", authority, "https://127.0.0.1:\(port)/1024"])
                    if !result.succeeded { throw WrongAnswer("\(result)") }
                }
            }
            for round in 0..<6 {
                let name = round.isMultiple(of: 2) ? "b" : "a"
                for file in [".key", ".pem"] { try folder.replace("x" + file, contents(of: folder.file(name + file))) }
                try waitUntil("the certificate of \(name) is served", deadline: .seconds(3)) {
                    try ChildProcess.run("openssl", ["s_client", "-connect", "127.0.0.1:\(port)"]).output
                        .contains("subject=CN = \(name)")
                }
            }
            clients.forEach { $0.stop() }
            #expect(clients.flatMap(\.failures) == [])
            #expect(clients.reduce(0) { $0 + $1.rounds } > 20)
            let samples = try weir.scrapeWhenIdle("web")
            #expect(samples.total("weir_tls_handshake_failures_total") == 0)
            #expect(samples.total("weir_tls_certificate_last_reload_successful") == 1)
            #expect(try weir.stop() == .code(0))
        }

        @Test("A pair that does not fit changes nothing, is told without a byte of the key, and mended by the next")
        func refusedPair() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            for file in ["x.pem", "x.key"] {
                try folder.write(file, contents(of: folder.file("a" + file.dropFirst())))
            }
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port, "tls: { certificates: \(pair("x")) }"))
            let key = contents(of: folder.file("b.key"))
            try folder.replace("x.key", key)
            try weir.scrape(until: "it is refused") {
                $0.total("weir_tls_certificate_last_reload_successful") == 0
            }
            func served() throws -> String {
                try ChildProcess.run("openssl", ["s_client", "-connect", "127.0.0.1:\(port)"]).output
            }
            #expect(try served().contains("subject=CN = a"))
            try folder.replace("x.pem", contents(of: folder.file("b.pem")))
            try weir.scrape(until: "it is taken") { $0.total("weir_tls_certificate_last_reload_successful") == 1 }
            #expect(try served().contains("subject=CN = b"))
            let log = weir.process.output + weir.process.errorOutput
            for line in key.split(separator: "\n") where !line.hasPrefix("-") {
                #expect(!log.contains(line))
            }
            #expect(log.contains("cannot be used"))
            #expect(try weir.stop() == .code(0))
        }
    }
}

/// Other proxies that speak TLS.
private enum TLSPeer {
    static func nginx(_ folder: TemporaryDirectory, _ server: String, _ port: UInt16) throws -> ChildProcess {
        let path = try folder.write(
            "nginx-\(port).conf",
            """
            load_module \(try Tool.nginxModule("ngx_stream_module"));
            daemon off; pid \(folder.file("nginx-\(port).pid")); error_log stderr; worker_processes 1;
            events {}
            stream { server { \(server) } }
            """)
        let process = try ChildProcess("nginx", ["-p", folder.path, "-c", path])
        try process.waitUntilListening(on: port)
        return process
    }

    static func haproxy(_ folder: TemporaryDirectory, _ sections: String, _ port: UInt16) throws -> ChildProcess {
        let path = try folder.write(
            "haproxy-\(port).cfg",
            "defaults\n mode tcp\n timeout client 30s\n timeout server 30s\n timeout connect 5s\n\(sections)")
        let process = try ChildProcess("haproxy", ["-f", path])
        try process.waitUntilListening(on: port)
        return process
    }
}
#endif
