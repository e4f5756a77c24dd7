import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Under a service manager")
    struct ServiceManagerTests {
        private func value(_ name: String, in message: [String]) throws -> String {
            let found = message.first { $0.hasPrefix("\(name)=") }
            return String(try #require(found, "\(name) is not in \(message)").dropFirst(name.count + 1))
        }

        @Test("it hears when all routes are served, of each reload and its outcome, and of the end")
        func life() throws {
            let folder = try TemporaryDirectory("manager")
            let manager = try ServiceManagerSocket(folder.file("notify"))
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("a", port, to: 9), environment: ["NOTIFY_SOCKET": manager.name])
            let ready = try manager.message(with: "READY=1")
            #expect(manager.messages.first == ready)
            #expect(try value("STATUS", in: ready) == "1 route, metrics at 127.0.0.1:\(weir.exporterPort)")

            var seen = manager.messages.count
            let began = try microseconds()
            try weir.reload(
                routes: [.route("a", port, to: 9), .route("b", try Ports.free(), to: 9)],
                rest: "shutdown: { drain_timeout: 20s }")
            let reloading = try manager.message(with: "RELOADING=1", after: seen)
            let time = try #require(UInt64(try value("MONOTONIC_USEC", in: reloading)))
            let now = try microseconds()
            #expect(time >= began && time <= now)
            let again = try manager.message(with: "READY=1", after: seen)
            #expect(try value("STATUS", in: again).hasPrefix("2 routes, "))

            seen = manager.messages.count
            try weir.replaceConfiguration(routes: "a: { scheme: tcp9, port: \"1:2\" }")
            weir.process.send(signal: SIGHUP)
            _ = try manager.message(with: "RELOADING=1", after: seen)
            let refused = try value("STATUS", in: manager.message(with: "READY=1", after: seen))
            #expect(refused.hasPrefix("2 routes, ") && refused.contains("the last reload was refused: "))
            #expect(refused.contains("weir.yml:4:"), "\(refused)")

            #expect(try weir.stop() == .code(0))
            let stopping = try manager.message(with: "STOPPING=1")
            #expect(try value("EXTEND_TIMEOUT_USEC", in: stopping) == "35000000")
            #expect(manager.messages.last == stopping)
            #expect(!manager.messages.contains { $0.contains("WATCHDOG=1") })
        }

        /// `CLOCK_MONOTONIC`, as the manager has it.
        private func microseconds() throws -> UInt64 {
            var time = timespec()
            guard clock_gettime(CLOCK_MONOTONIC, &time) == 0 else { throw SystemFailure("clock_gettime") }
            return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
        }

        @Test("its watchdog hears of a process that turns, again and again, also at an abstract name")
        func watchdog() throws {
            let manager = try ServiceManagerSocket("@weir-test-\(getpid())")
            let weir = try WeirProcess(
                routes: .route("a", try Ports.free(), to: 9),
                environment: ["NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "300000"])
            try waitUntil("five signs of life") { manager.messages.count { $0 == ["WATCHDOG=1"] } >= 5 }
            // Signals that come between do not hold them up.
            let seen = manager.messages.count
            let process = weir.process.processID
            let hangUps = Repeater { _ in kill(process, SIGHUP) }
            defer { hangUps.stop() }
            _ = try manager.message(with: "WATCHDOG=1", after: seen)
        }

        @Test("one that waits for another process, or that is not there, costs nothing but a warning")
        func absent() throws {
            let manager = try ServiceManagerSocket("@weir-other-\(getpid())")
            let weir = try WeirProcess(
                routes: .route("a", try Ports.free(), to: 9),
                environment: ["NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "2000", "WATCHDOG_PID": "1"])
            _ = try manager.message(with: "READY=1")
            _ = try weir.reload(routes: [.route("a", try Ports.free(), to: 9)])
            #expect(!manager.messages.contains { $0.contains("WATCHDOG=1") })

            let alone = try WeirProcess(
                routes: .route("a", try Ports.free(), to: 9), environment: ["NOTIFY_SOCKET": "/nonexistent/notify"])
            try alone.waitForLog("WARNING", "the service manager cannot be told", "No such file or directory")
        }
    }
}
