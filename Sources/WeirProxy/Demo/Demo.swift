import Glibc
import LinuxIO
import Threading
public import WeirConfiguration
import WeirStream

/// `weir demo`: upstreams, clients and routes of every kind in one process, so that every metric has something to show.
public final class Demo: Sendable {
    /// The options of the demo.
    public struct Options: Sendable {
        /// The endpoint of the exporter.
        public var exporter: Configuration.Exporter.Listener
        /// The first of the hundred ports that the demo takes.
        public var basePort: UInt16
        /// Whether the table is drawn over itself, or printed again and again.
        public var isTerminal = false
        /// The descriptor that the table is written to.
        public var descriptor: CInt = 1
        /// Beyond it the hundred ports would not fit.
        public static let maxBasePort: UInt16 = 65_435

        /// Reads the exporter's address, `127.0.0.1:9847` or `unix:/run/weir/exporter.sock`.
        public init(exporter: String, basePort: UInt16) throws(DemoError) {
            guard let listener = Configuration.Exporter.Listener(exporter) else { throw .exporterAddress(exporter) }
            self.exporter = listener
            self.basePort = basePort
        }
    }

    private let options: Options
    private let proxy: Proxy
    private let threads: DemoThreads
    private let unanswering: DemoUpstreams.Unanswering
    private let table: Lock<Task<Void, Never>?>

    private static let refresh: Duration = .seconds(2)

    /// Starts everything; returns when the routes serve and the traffic flows.
    public static func start(_ options: Options) async throws(DemoError) -> Demo {
        let base = options.basePort
        let threads = DemoThreads()
        let unanswering: DemoUpstreams.Unanswering
        do throws(SystemError) {
            try DemoUpstreams.start(threads, base: base)
            unanswering = try DemoUpstreams.Unanswering(DemoRoute.silent.upstream(base))
        } catch {
            threads.stop()
            throw .upstream(basePort: base, error)
        }
        let proxy: Proxy
        do throws(ProxyError) {
            proxy = try Proxy(configuration(options), options: proxyOptions)
            try await proxy.start()
        } catch {
            threads.stop()
            throw .proxy(error, options)
        }
        do throws(SystemError) {
            try DemoClients.start(threads, base: base)
        } catch {
            threads.stop()
            await proxy.shutdown()
            throw .upstream(basePort: base, error)
        }
        return Demo(options, proxy, threads, unanswering)
    }

    private static func configuration(_ options: Options) -> Configuration {
        Configuration(
            exporter: .init(listen: [options.exporter]), log: .init(level: .error),
            shutdown: .init(delay: .zero, drainTimeout: .seconds(2)),
            access: .init(deny: [AccessEntry("cidr:\(DemoClients.deniedNetwork)")]),
            routes: DemoRoute.allCases.map { $0.configuration(options.basePort) })
    }

    /// The table has the screen; the log would only write over it.
    private static var proxyOptions: Proxy.Options {
        var options = Proxy.Options()
        let null = unsafe open("/dev/null", O_WRONLY | O_CLOEXEC)
        if null >= 0 { options.logDescriptor = null }
        return options
    }

    private init(
        _ options: Options, _ proxy: Proxy, _ threads: DemoThreads, _ unanswering: DemoUpstreams.Unanswering
    ) {
        self.options = options
        self.proxy = proxy
        self.threads = threads
        self.unanswering = unanswering
        table = Lock(nil)
        let task = Task { await show() }
        table.withLock { $0 = task }
    }

    /// The URL of the exporter, or `unix:/run/weir/exporter.sock:`, to be followed by the path of a page.
    public var exporterURL: String {
        if case .unix = options.exporter { return "\(options.exporter):" }
        return "http://\(proxy.exporterAddresses.first?.description ?? "\(options.exporter)")"
    }

    /// How the routes stand.
    public func reports() async -> [RouteReport] { await proxy.reports }

    /// Ends the traffic, drains, and ends.
    public func stop() async {
        threads.stop()
        let task = table.withLock { $0 }
        task?.cancel()
        await task?.value
        await proxy.shutdown()
    }

    // MARK: The table

    private func show() async {
        var before = await snapshot()
        // A canceled sleep throws.
        while (try? await Task.sleep(for: Self.refresh)) != nil {
            let now = await snapshot()
            write(DemoTable.lines(from: before, to: now) + footer)
            before = now
        }
    }

    private func snapshot() async -> DemoTable.Snapshot {
        DemoTable.Snapshot(reports: await proxy.reports, nanoseconds: MonotonicClock.system.nanoseconds)
    }

    private var footer: [String] {
        [
            "", "live page  \(exporterURL)/", "metrics    \(exporterURL)/metrics",
            "health     \(exporterURL)/healthz  \(exporterURL)/readyz",
            "reference  weir metrics", "end        Ctrl-C",
        ]
    }

    /// The only function of this module that writes to the terminal.
    private func write(_ lines: [String]) {
        // Home, every line cleared to its end as it is written, and what is below cleared: no flicker.
        let text =
            options.isTerminal
            ? "\u{1b}[H" + lines.map { $0 + "\u{1b}[K\n" }.joined() + "\u{1b}[J"
            : lines.joined(separator: "\n") + "\n\n"
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(options.descriptor, $0.baseAddress, $0.count) }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }
}

/// Why the demo does not start.
public enum DemoError: Error, Sendable, CustomStringConvertible {
    /// Not an address and port.
    case exporterAddress(String)
    /// An upstream of the demo cannot have its port.
    case upstream(basePort: UInt16, SystemError)
    /// A route or the exporter cannot have its port.
    case proxy(ProxyError, Demo.Options)

    /// The mistake, with the option that helps.
    public var description: String {
        switch self {
        case .exporterAddress(let text):
            "--exporter: expected an IP address and a port such as 127.0.0.1:9847, or unix:/run/weir/exporter.sock, "
                + "found \(text)"
        case .upstream(let base, let error):
            "the demo needs the ports \(base) to \(base + 99): \(error); choose others with --base-port"
        case .proxy(.exporter(let error), _): "\(error); choose another address with --exporter"
        case .proxy(let error, let options):
            "\(error); the demo needs the ports \(options.basePort) to \(options.basePort + 99), choose others with "
                + "--base-port"
        }
    }
}
