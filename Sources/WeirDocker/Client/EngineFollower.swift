import LinuxIO
import Synchronization
import Threading
import WeirConfiguration

/// Follows one engine on a thread of its own, which waits in the kernel for its events. What it knows stays while the
/// engine is away, to which it connects again.
public final class EngineFollower: Sendable {
    /// The means to ask it.
    public let access: EngineAccess
    private let prefix: String
    private let observer: any ContainerObserver
    private let onChange: @Sendable () -> Void
    private let signal: EventSignal
    private let isStopped = Atomic<Bool>(false)
    /// The containers of the last list, with the events since; nil before the first.
    private let known: Lock<[Container]?>

    /// The times between attempts to connect.
    private static let pauses: [Duration] = [.milliseconds(250), .seconds(1), .seconds(2), .seconds(4)]

    /// A follower that has not begun. `known` are the containers that an earlier one of the engine knew, which count
    /// until the engine answers. `onChange` is called on its thread whenever it knows something else.
    public init(
        _ access: EngineAccess, labelPrefix: String, known: [Container]? = nil, observer: any ContainerObserver,
        onChange: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        self.access = access
        prefix = labelPrefix + "."
        self.known = Lock(known)
        self.observer = observer
        self.onChange = onChange
        signal = try EventSignal()
    }

    /// The containers of the engine; nil as long as it has not answered.
    public var containers: [Container]? { known.withLock { $0 } }

    /// Begins. Once.
    public func start() throws(SystemError) {
        try Thread.start(name: "engine") { self.run() }
    }

    /// Lets the thread end.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
        signal.signal()
    }

    private var hasStopped: Bool { isStopped.load(ordering: .relaxed) }

    private func run() {
        var failures = 0
        while !hasStopped {
            do throws(EngineFailure) {
                var hasAnswered = false
                let session = try makeSession { hasAnswered = true }
                defer { if hasAnswered { failures = 0 } }
                try session.follow(signal)
            } catch {
                if hasStopped { return }
                observer.failed(access.endpoint.name, error, isAway: true)
            }
            let pause = Self.pauses[min(failures, Self.pauses.count - 1)]
            failures += 1
            if !hasStopped { signal.wait(within: pause) }
        }
    }

    private func makeSession(_ onAnswer: @escaping () -> Void) throws(EngineFailure) -> EngineSession {
        try EngineSession(
            access, prefix: prefix, observer: observer, isStopped: { self.hasStopped },
            publish: { containers in
                onAnswer()
                let isNew = self.known.withLock { known in
                    defer { known = containers }
                    return known != containers
                }
                if isNew { self.onChange() }
            })
    }

    /// The containers of an engine, which is asked once. Blocks.
    public static func list(_ access: EngineAccess, labelPrefix: String) throws(EngineFailure) -> [Container] {
        let signal: EventSignal
        do throws(SystemError) { signal = try EventSignal() } catch { throw EngineFailure(.connect, "\(error)") }
        var found: [Container] = []
        let session = try EngineSession(
            access, prefix: labelPrefix + ".", observer: SilentObserver(), isStopped: { false },
            publish: { found = $0 })
        try session.listOnce(signal)
        return found
    }
}

/// An observer that tells nothing.
private struct SilentObserver: ContainerObserver {
    func connected(_ engine: String, version: String) {}
    func failed(_ engine: String, _ failure: EngineFailure, isAway: Bool) {}
    func listed(_ engine: String) {}
    func sawEvent(_ engine: String) {}
}
