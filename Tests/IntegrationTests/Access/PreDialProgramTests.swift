import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("A program before the dial", .timeLimit(.minutes(2)))
    struct PreDialProgramTests {
        private let folder: TemporaryDirectory

        init() throws {
            folder = try TemporaryDirectory("pre-dial")
        }

        /// A route with a shell script as `pre_dial`; its notes go to files in the folder.
        private func hook(_ script: String, _ more: String = "") throws -> String {
            let path = try folder.write("hook.sh", script)
            return "pre_dial: { exec: [/bin/sh, \(path), \(folder.path)]\(more) }"
        }

        private func passes(_ port: UInt16, from host: String = "127.0.0.1") throws -> Bool {
            guard let client = try? TestConnection(to: Endpoint(port), from: Endpoint(host, 0)),
                (try? client.send("?")) != nil
            else { return false }
            return client.receive(1).text == "?"
        }

        private static func rejected(_ samples: Samples, _ route: String) -> Int {
            samples.total("weir_tcp_connections_rejected_total", ["route": route, "reason": "hook"])
                + samples.sessionsRejected(route, "hook")
        }

        /// Processes whose command line holds the text.
        private static func processes(_ text: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { $0.allSatisfy(\.isNumber) }
                .map { contents(of: "/proc/\($0)/cmdline") }.filter { $0.contains(text) }
        }

        /// The children of a process, zombies included.
        private static func children(_ process: ChildProcess) throws -> String {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.processID)/task")
                .map { contents(of: "/proc/\(process.processID)/task/\($0)/children") }.joined()
        }

        @Test("it is told who wants what, inherits nothing else, and its exit code decides")
        func decides() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let script = """
                tr '\\0' '\\n' < /proc/$$/environ > "$1/environment"
                ls /proc/$$/fd > "$1/descriptors"
                readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 > "$1/streams"
                grep -E 'Sig(Blk|Ign)' /proc/self/status > "$1/signals"
                grep CapAmb /proc/$$/status > "$1/capabilities"
                [ "$WEIR_CLIENT_IP" = 127.0.0.1 ]
                """
            // As a systemd unit gives it the right to bind ports below 1024.
            let capability = ["--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service"]
            let weir = try WeirProcess(
                routes: .route("asked", port, to: server.port, try hook(script)),
                launcher: ["setpriv"] + capability + ["--"])
            #expect(
                try weir.scrape()["weir_tcp_connections_rejected_total", ["route": "asked", "reason": "hook"]] == 0)
            let client = try TestConnection(to: Endpoint(port))
            try client.send("?")
            #expect(client.receive(1).text == "?")
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            #expect(
                Set(contents(of: folder.file("environment")).split(separator: "\n").map(String.init)) == [
                    "WEIR_ROUTE=asked", "WEIR_PROTOCOL=tcp", "WEIR_CLIENT_IP=127.0.0.1",
                    "WEIR_CLIENT_PORT=\(try client.localEndpoint.port)", "WEIR_UPSTREAM=127.0.0.1:\(server.port)",
                    "WEIR_PEER_IP=127.0.0.1", "WEIR_UPSTREAMS=127.0.0.1:\(server.port)",
                    "WEIR_LISTEN=tcp4://0.0.0.0:\(port)", "PATH=\(path)",
                ])
            // The shell itself has some of its own, from 10 on.
            let descriptors = Set(contents(of: folder.file("descriptors")).split(separator: "\n"))
            #expect(descriptors.isSuperset(of: ["0", "1", "2"]) && descriptors.filter { $0.count == 1 }.count == 3)
            // The second one is redirected to a file at that moment.
            let streams = contents(of: folder.file("streams")).split(separator: "\n")
            #expect(streams.count == 3 && streams.first == "/dev/null" && streams.last == "/dev/null")
            let signals = contents(of: folder.file("signals")).split(separator: "\n").map { $0.suffix(16) }
            // Two that the C library keeps for itself are ignored in every program that it starts.
            #expect(signals == ["0000000000000000", "0000000180000000"])
            #expect(contents(of: folder.file("capabilities")) == "CapAmb:\t0000000000000000\n")
            #expect(contents(of: "/proc/\(weir.process.processID)/status").contains("CapInh:\t0000000000000400\n"))
            #expect(try !passes(port, from: "127.0.0.2"))
            let samples = try weir.scrape(until: "the refusal is counted") { Self.rejected($0, "asked") == 1 }
            #expect(samples["weir_pre_dial_duration_seconds_count", ["route": "asked", "protocol": "tcp"]] == 2)
            #expect(samples.timeouts("asked", "pre_dial") == 0)
            #expect(samples.total("weir_dials_total", ["route": "asked"]) == 1)
            #expect(try Self.children(weir.process).isEmpty)
        }

        @Test("a hanging program delays no other client, and is killed with its process group at its timeout")
        func hangs() throws {
            let server = try TCPServer.echo()
            let (port, other) = (try Ports.free(), try Ports.free())
            let marker = "3600.\(port)"
            let script = """
                if [ "$WEIR_CLIENT_IP" = 127.0.0.2 ]; then
                    sleep \(marker) & sleep \(marker)
                fi
                """
            let weir = try WeirProcess(
                routes: [
                    .route("hung", port, to: server.port, try hook(script), "pre_dial_timeout: 8s"),
                    .route("other", other, to: server.port, "pre_dial: { exec: [/bin/true] }"),
                ].joined(separator: "\n"), rest: "workers: 2")
            let clients = try (0..<6).map { _ in
                try TestConnection(to: Endpoint(port), from: Endpoint("127.0.0.2", 0))
            }
            try waitUntil("all six hang") { try Self.processes(marker).count >= 12 }
            for _ in 0..<10 {
                #expect(try passes(port))
                #expect(try passes(other))
            }
            // None of them has come to its end: so they did hang meanwhile.
            #expect(try weir.scrape().timeouts("hung", "pre_dial") == 0)
            for client in clients { #expect(client.receive().ending == .reset) }
            let samples = try weir.scrape(until: "the refusals are counted") { Self.rejected($0, "hung") == 6 }
            #expect(samples.timeouts("hung", "pre_dial") == 6)
            try waitUntil("nothing of them is left") { try Self.processes(marker).isEmpty }
            try waitUntil("no child is left, dead or alive") { try Self.children(weir.process).isEmpty }
        }

        @Test("beyond the bound clients wait for their turn, and are refused when their time is over")
        func bounded() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let marker = "3601.\(port)"
            let script = """
                echo . >> "$1/started"
                if [ "$WEIR_CLIENT_IP" = 127.0.0.2 ]; then exec sleep \(marker); fi
                """
            let weir = try WeirProcess(
                routes: .route(
                    "one", port, to: server.port, try hook(script, ", concurrency: 1"), "pre_dial_timeout: 8s"))
            let first = try TestConnection(to: Endpoint(port), from: Endpoint("127.0.0.2", 0))
            try waitUntil("it hangs") { try Self.processes(marker).count == 1 }
            let late = try TestConnection(to: Endpoint(port), from: Endpoint("127.0.0.2", 0))
            // A client that goes away gives its turn, or its position in the queue, to the next.
            let gone = try TestConnection(to: Endpoint(port))
            try weir.scrape(until: "all three are there") { $0.active("one") == 3 }
            try gone.reset()
            try weir.scrape(until: "it is gone") { $0.closed("one", "client_reset") == 1 }
            #expect(contents(of: folder.file("started")).count == 2)
            try first.reset()
            try waitUntil("the second has its turn") { contents(of: folder.file("started")).count == 4 }
            #expect(late.receive().ending == .reset)
            try weir.scrape(until: "it was too late") { $0.timeouts("one", "pre_dial") == 1 }
            #expect(try passes(port))
            #expect(contents(of: folder.file("started")).count == 6)
            #expect(try Self.processes(marker).isEmpty)
        }

        @Test("a UDP session waits for it with its datagrams, in their order")
        func sessions() throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            let script = """
                tr '\\0' '\\n' < /proc/$$/environ > "$1/environment"
                while [ ! -e "$1/go" ]; do sleep 0.01; done
                [ "$WEIR_CLIENT_IP" = 127.0.0.1 ]
                """
            let weir = try WeirProcess(
                routes: .route("udp", port, to: server.port, scheme: "udp4", try hook(script), "pre_dial_timeout: 20s"))
            let (client, denied) = (try UDPSocket(), try UDPSocket(bindingTo: Endpoint("127.0.0.2", 0)))
            for number in 0..<10 as Range<UInt8> {
                try client.send([number], to: Endpoint(port))
                try denied.send([number], to: Endpoint(port))
            }
            try weir.scrape(until: "both sessions are there") { $0.sessionsActive("udp") == 2 }
            #expect(server.received == 0)
            try folder.write("go", "")
            for number in 0..<10 as Range<UInt8> { #expect(try client.receive().bytes == [number]) }
            let samples = try weir.scrape(until: "one is refused") { Self.rejected($0, "udp") == 1 }
            #expect(samples.total("weir_udp_drops_total", ["route": "udp", "reason": "error"]) == 10)
            #expect(contents(of: folder.file("environment")).contains("WEIR_PROTOCOL=udp\n"))
            #expect(samples["weir_pre_dial_duration_seconds_count", ["route": "udp", "protocol": "udp"]] == 2)
            #expect(server.received == 10)
        }

        @Test(
            "a missing program denies all clients and logs that once; a hanging one does not delay a shutdown"
        )
        func missing() throws {
            let server = try TCPServer.echo()
            let (port, hung) = (try Ports.free(), try Ports.free())
            let marker = "3602.\(port)"
            let weir = try WeirProcess(
                routes: [
                    .route("missing", port, to: server.port, "pre_dial: { exec: [/nowhere/may-pass] }"),
                    .route("hung", hung, to: server.port, try hook("exec sleep \(marker)")),
                ].joined(separator: "\n"), rest: "shutdown: { drain_timeout: 0s }")
            for _ in 0..<5 { #expect(try !passes(port)) }
            try weir.scrape(until: "all are counted") { Self.rejected($0, "missing") == 5 }
            try weir.waitForLog("the program before the dial cannot be started", "/nowhere/may-pass")
            #expect(weir.logLines.count { $0.contains("cannot be started") } == 1)
            let client = try TestConnection(to: Endpoint(hung))
            try waitUntil("it hangs") { try Self.processes(marker).count == 1 }
            #expect(try weir.stop() == .code(0))
            #expect(client.receive().ending == .reset)
            #expect(try Self.processes(marker).isEmpty)
        }
    }
}
