import Glibc
import Synchronization
import TestSupport
import Testing

@testable import WeirConfiguration
@testable import WeirProxy

/// A source that says what a test gives it, as labels of a container.
private final class MemorySource: ConfigurationSource {
    let name = "memory"
    let changes: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let routes = Mutex<[(name: String, fields: [(String, String)])]>([])
    private let isStopped = Mutex(false)

    init() {
        (changes, continuation) = AsyncStream<Void>.makeStream()
    }

    var hasStopped: Bool { isStopped.withLock { $0 } }

    func set(_ routes: [(name: String, fields: [(String, String)])]) {
        self.routes.withLock { $0 = routes }
        continuation.yield()
    }

    func load() async -> ConfigurationFragment {
        let whole = Origin.label(container: "box", name: nil)
        let entries = routes.withLock { $0 }.map { route in
            let fields = route.fields.map { key, text in
                let origin = Origin.label(container: "box", name: "proxy.\(route.name).\(key)")
                return ConfigurationNode.Entry(
                    key: key, keyOrigin: origin,
                    value: ConfigurationNode(origin: origin, content: .scalar(text: text, written: text)))
            }
            return ConfigurationNode.Entry(
                key: route.name, keyOrigin: .label(container: "box", name: "proxy.\(route.name)"),
                value: ConfigurationNode(origin: whole, content: .mapping(fields)))
        }
        let all = ConfigurationNode(origin: whole, content: .mapping(entries))
        return ConfigurationFragment(
            root: ConfigurationNode(
                origin: whole, content: .mapping([.init(key: "routes", keyOrigin: whole, value: all)])))
    }

    func start() throws {}

    func stop() {
        isStopped.withLock { $0 = true }
        continuation.finish()
    }
}

/// A source whose first load takes until it is released.
private final class HeldSource: ConfigurationSource {
    let name = "held"
    let changes = AsyncStream<Void> { $0.finish() }
    private let texts: [String]
    private struct State {
        var loads = 0
        var atOnce = 0
        var mostAtOnce = 0
        var isReleased = false
    }
    private let state = Mutex(State())

    init(_ texts: [String]) { self.texts = texts }

    var loads: Int { state.withLock { $0.loads } }
    var mostAtOnce: Int { state.withLock { $0.mostAtOnce } }

    func release() { state.withLock { $0.isReleased = true } }

    func waitForLoads(_ count: Int) async {
        while loads < count { await Task.yield() }
    }

    func load() async -> ConfigurationFragment {
        let number = state.withLock { state in
            state.loads += 1
            state.atOnce += 1
            state.mostAtOnce = max(state.mostAtOnce, state.atOnce)
            return state.loads
        }
        let text = texts[min(number, texts.count) - 1]
        while number == 1, !state.withLock({ $0.isReleased }) { await Task.yield() }
        state.withLock { $0.atOnce -= 1 }
        return ConfigurationFragment(yaml: Array(text.utf8), file: "held", environment: [:])
    }

    func start() throws {}
    func stop() {}
}

struct ConfigurationSourceTests {
    @Test("A runner follows a file and another source, merges them, and tells a collision with both origins")
    func twoSources() async throws {
        let folder = try TemporaryDirectory("sources")
        let server = try TCPServer.echo()
        let (exporter, first, second) = (try Ports.free(), try Ports.free(), try Ports.free())
        func text(_ routes: String) -> String {
            "exporter: { listen: \"127.0.0.1:\(exporter)\" }\nlog: { level: info }\nworkers: 1\n"
                + "shutdown: { drain_timeout: 1s }\nroutes:\n  a: { scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, "
                + "port: \"\(first):\(server.port)\" }\n\(routes)"
        }
        let path = try folder.write("weir.yml", text(""))
        let log = folder.file("log")
        let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var options = Proxy.Options()
        options.logDescriptor = descriptor

        let file = ConfigurationFile(path: path, environment: [:])
        let loaded = try file.load()
        let memory = MemorySource()
        let runner = try ProxyRunner(
            [FileSource(file, seen: loaded.content, dependencies: loaded.dependencies), memory],
            configuration: loaded.configuration, options: options)
        try await runner.start()
        do {
            // A change of the second source is a reload.
            let fields = [
                ("scheme", "tcp4"), ("bind", "127.0.0.1"), ("host", "127.0.0.1"), ("port", "\(second):\(server.port)"),
            ]
            memory.set([("b", fields)])
            try waitUntil("the route of the second source is served") {
                (try? TestConnection(to: Endpoint(second))) != nil
            }
            #expect(try TestConnection(to: Endpoint(first)).localEndpoint.port != 0)

            // An error names where it is, and changes nothing.
            memory.set([("b", fields.dropLast() + [("port", "none")])])
            try waitUntil("the error is in the log") {
                contents(of: log).contains("container `box`, label `proxy.b.port`: error: `port`: expected a port")
            }
            #expect(try TestConnection(to: Endpoint(second)).localEndpoint.port != 0)
            memory.set([("b", fields)])

            // A collision, made by the other source.
            try folder.replace("weir.yml", text("  b: { scheme: udp4, port: 1:2 }\n"))
            try waitUntil("the collision is in the log") {
                contents(of: log).contains(
                    "container `box`, label `proxy.b`: error: route `b` is configured twice, first by \(path):7:3")
            }
            try folder.replace("weir.yml", text(""))
            memory.set([])
            try waitUntil("the route is gone with its labels") { (try? TestConnection(to: Endpoint(second))) == nil }
        } catch {
            await runner.shutdown()
            throw error
        }
        await runner.shutdown()
        #expect(memory.hasStopped)
    }

    @Test("Reloads run one at a time: what was read last is in force", .timeLimit(.minutes(1)))
    func reloadsInOrder() async throws {
        let server = try TCPServer.echo()
        let (exporter, first, last) = (try Ports.free(), try Ports.free(), try Ports.free())
        func text(_ port: UInt16) -> String {
            "exporter: { listen: \"127.0.0.1:\(exporter)\" }\nlog: { level: error }\nworkers: 1\nroutes:\n"
                + "  a: { scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, port: \"\(port):\(server.port)\" }\n"
        }
        let source = HeldSource([text(first), text(last)])
        let fragment = ConfigurationFragment(yaml: Array(text(first).utf8), file: "held", environment: [:])
        let start = try Configuration.load([fragment])
        let runner = try ProxyRunner([source], configuration: start.configuration)
        try await runner.start()
        let slow = Task { await runner.reload() }
        await source.waitForLoads(1)
        let joined = (0..<8).map { _ in Task { await runner.reload() } }
        // Long enough for the others to read beside it, if they could.
        for _ in 0..<1_000 { await Task.yield() }
        source.release()
        _ = await slow.value
        for task in joined { _ = await task.value }
        let served = (try? TestConnection(to: Endpoint(last))) != nil
        await runner.shutdown()
        #expect(served)
        #expect(source.mostAtOnce == 1)
        // Those that waited together were one.
        #expect((2...9).contains(source.loads))
    }

    @Test("A configuration is read once for each load, so that a pipe can be one")
    func readOnce() throws {
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let text = Array("routes: { a: { scheme: tcp, port: 1:2 } }\n".utf8)
        #expect(write(ends[1], text, text.count) == text.count)
        close(ends[1])
        let loaded = try ConfigurationFile(path: "/dev/fd/\(ends[0])", environment: [:]).load()
        #expect(loaded.routeCount == 1 && loaded.content == text)
    }
}
