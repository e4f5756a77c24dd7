import LinuxIO
import WeirConfiguration
import WeirDocker

/// The answer of `weir check --docker`: for each container of each engine why it is, or is not, a part of a route.
/// Asking the engines blocks.
public struct ContainerReport: Sendable {
    /// One line for each container.
    public private(set) var lines: [String] = []
    /// One line for each engine that cannot be asked.
    public private(set) var failures: [String] = []
    /// Whether an engine cannot be asked, or a container is wrong.
    public private(set) var hasErrors = false

    /// Asks the engines that a file names.
    public init(_ loaded: ConfigurationFile.Loaded) {
        guard let settings = loaded.configuration.docker else {
            failures = ["the file has no `docker`: no engine is asked"]
            hasErrors = true
            return
        }
        var snapshots: [EngineSnapshot] = []
        for endpoint in settings.endpoints {
            do throws(EngineFailure) {
                let containers = try EngineFollower.list(
                    EngineAccess(endpoint, settings), labelPrefix: settings.labelPrefix)
                snapshots.append(
                    EngineSnapshot(endpoint, isOneOfSeveral: settings.endpoints.count > 1, containers: containers))
            } catch {
                failures.append("engine `\(endpoint.name)` (\(endpoint.address)): \(error.message)")
                hasErrors = true
            }
        }
        let composer = ContainerComposer(
            fragments: [loaded.fragment], base: loaded.configuration, replaced: loaded.configuration,
            planner: ContainerPlanner(), snapshots: snapshots, now: MonotonicClock.system.nanoseconds)
        for verdict in composer.compose([:]).plan.verdicts { add(verdict, hasEngine: settings.endpoints.count > 1) }
    }

    private mutating func add(_ verdict: ContainerVerdict, hasEngine: Bool) {
        let name = hasEngine ? "\(verdict.engine)/\(verdict.container)" : verdict.container
        let routes = verdict.routes.isEmpty ? "" : " (\(verdict.routes.joined(separator: ", ")))"
        if verdict.state == .error { hasErrors = true }
        // Names come from the engine: one line of printable text.
        let remarks = verdict.remarks.isEmpty ? [""] : verdict.remarks.map { ": \($0)" }
        lines += remarks.map { printable("\(name): \(verdict.state.rawValue)\(routes)\($0)") }
    }

    private func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }
}
