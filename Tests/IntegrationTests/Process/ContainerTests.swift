import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("As process 1, without /proc, and with few processors")
    struct ContainerTests {
        /// The processes of a PID namespace whose first process is a child of `process`, as this namespace numbers
        /// them.
        private static func children(of process: Int32) -> [Int32] {
            let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
            return tasks.flatMap { task in
                contents(of: "/proc/\(process)/task/\(task)/children").split(separator: " ").compactMap { Int32($0) }
            }
        }

        private static func isZombie(_ process: Int32) -> Bool {
            contents(of: "/proc/\(process)/stat").split(separator: ")").last?.hasPrefix(" Z") ?? false
        }

        @Test("process 1 reaps what programs before the dial leave behind")
        func orphans() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let hook = "pre_dial: { exec: [sh, -c, \"for i in 1 2 3; do (sleep 0.05 &) ; done\"] }"
            let weir = try WeirProcess(
                routes: .route("a", port, to: server.port, hook), rest: "workers: 1",
                launcher: ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
            let first = try waitFor("process 1 runs") { Self.children(of: weir.process.processID).first }
            for _ in 0..<20 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send("?")
                #expect(client.receive(1).text == "?")
            }
            // All of them have ended in a moment, and none is left.
            try waitUntil("no child is left", deadline: .seconds(20)) { Self.children(of: first).isEmpty }
            #expect(try weir.scrape().total("weir_tcp_connections_rejected_total") == 0)
        }

        @Test("without /proc every command has its arguments, and the proxy runs")
        func withoutProc() throws {
            func launcher(_ arguments: [String]) throws -> ChildProcess.Completed {
                let script = "mount -t tmpfs none /proc && exec \"$@\""
                return try ChildProcess.run(
                    "unshare", ["--mount", "sh", "-c", script, "sh", try Tool.weir()] + arguments)
            }
            let version = try launcher(["version"])
            #expect(version.succeeded && version.output.hasPrefix("weir "), "\(version)")
            let check = try launcher(["check", "/no/such/file.yml"])
            #expect(check.exit == .code(1) && check.errorOutput.contains("/no/such/file.yml"), "\(check)")
            let wrong = try launcher(["no-such-command"])
            #expect(wrong.exit == .code(64), "\(wrong)")
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("a", port, to: server.port),
                launcher: ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"])
            let client = try TestConnection(to: Endpoint(port))
            try client.send("?")
            #expect(client.receive(1).text == "?")
            #expect(try weir.scrape().accepted("a") == 1)
            // The stop waits for clients.
            try client.expectEnd()
            #expect(try weir.stop() == .code(0))
        }

        @Test("`workers: auto` follows the affinity of the process, and the log says so")
        func affinity() throws {
            let weir = try WeirProcess(
                routes: .route("a", try Ports.free(), to: 9), launcher: ["taskset", "--cpu-list", "0"])
            let line = try weir.waitForLog(" ready ", "workers=1 ")
            // A machine with one processor is not limited by that.
            let reasons = ["(affinity)\"", "workers_from=\"1 processor\""]
            #expect(reasons.contains(where: line.contains), "\(line)")
            let fixed = try WeirProcess(routes: .route("a", try Ports.free(), to: 9), rest: "workers: 3")
            try fixed.waitForLog(" ready ", "workers=3 ", "workers_from=\"the setting\"")
        }

        /// Files of a machine whose control group grants half of a processor.
        enum ControlGroups: CaseIterable {
            case unified, separate

            var cgroup: String { self == .unified ? "0::/app\n" : "4:cpu,cpuacct:/app\n1:name=systemd:/\n" }

            func mounts(_ folder: String) -> String {
                let kind = self == .unified ? "cgroup2 cgroup2 rw" : "cgroup cgroup rw,cpu,cpuacct"
                return "30 1 0:26 / \(folder) rw,nosuid shared:4 - \(kind)\n"
            }

            var quota: [String: String] {
                self == .unified
                    ? ["cpu.max": "50000 100000\n"]
                    : ["cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n"]
            }
        }

        @Test(
            "`workers: auto` follows the quota of the control group, and the log says so",
            arguments: ControlGroups.allCases)
        func quota(groups: ControlGroups) throws {
            let folder = try TemporaryDirectory("cgroup")
            try FileManager.default.createDirectory(atPath: folder.file("app"), withIntermediateDirectories: false)
            for (name, text) in groups.quota { try folder.write("app/\(name)", text) }
            let files = [
                try folder.write("groups", groups.cgroup), try folder.write("mounts", groups.mounts(folder.path)),
            ]
            let script = """
                mount --bind "$1" /proc/$$/cgroup && mount --bind "$2" /proc/$$/mountinfo && shift 2 && exec "$@"
                """
            let weir = try WeirProcess(
                routes: .route("a", try Ports.free(), to: 9),
                launcher: ["unshare", "--mount", "sh", "-c", script, "sh"] + files)
            try weir.waitForLog(" ready ", "workers=1 ", "workers_from=\"a quota of 0.5 processors (cgroup)\"")
        }

        @Test("the runtime writes no line of its own to the system's log")
        func systemLog() throws {
            let folder = try TemporaryDirectory("dev")
            let log = try ServiceManagerSocket(folder.file("log"))
            let script = """
                chmod 755 "$1" && chmod 666 "$1/log" && for n in null zero urandom random; do
                touch "$1/$n" && mount --bind /dev/$n "$1/$n" || exit 1; done
                mount --bind "$1" /dev && shift && exec setpriv --bounding-set=-sys_nice "$@"
                """
            let server = try TCPServer.echo()
            let port = try Ports.free()
            // Without the right to raise priorities, as under the unit.
            let weir = try WeirProcess(
                routes: .route("a", port, to: server.port),
                launcher: ["unshare", "--mount", "sh", "-c", script, "sh", folder.path])
            for _ in 0..<5 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send("?")
                #expect(client.receive(1).text == "?")
            }
            try weir.reload(routes: [.route("a", port, to: server.port), .route("b", try Ports.free(), to: 9)])
            #expect(try weir.stop() == .code(0))
            #expect(log.messages.isEmpty, "\(log.messages)")
        }
    }
}
