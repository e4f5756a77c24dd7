import LinuxIO
import WeirConfiguration

/// One connection to an engine, from the negotiation of the version to its end: the stream of events, and lists between
/// them. Confined to its thread.
final class EngineSession {
    /// The most bytes of a list, and of any other answer.
    private static let maxListBytes = 32 << 20
    private static let maxAnswerBytes = 1 << 20
    /// How long an answer may take.
    private static let answerMilliseconds = 30_000
    private static let millisecond: UInt64 = 1_000_000
    /// After the last event, and after the first one, all containers are listed; and again after a time without any.
    private static let quietTime = 100 * millisecond
    private static let longestWait = 1_000 * millisecond
    private static let listInterval = 60_000 * millisecond
    /// How long a container that was told to end gets no clients although it still runs: one that drains may take
    /// minutes, and one that has ignored the signal gets clients again.
    private static let stoppingTime = 300_000 * millisecond
    /// How long single containers are asked for after a list; those that are left keep what was known of them.
    private static let inspectionTime = 30_000 * millisecond
    /// The most effects of events that are kept while a list is on its way.
    private static let maxEffects = 10_000

    private let client: HTTPClient
    private let access: EngineAccess
    private let prefix: String
    private let observer: any ContainerObserver
    private let isStopped: () -> Bool
    private let publish: ([Container]) -> Void
    private var version = ""
    private var lines = EventLines()
    private var containers: [String: Container] = [:]
    /// Answers about single containers, and those of which an event has told since.
    private var inspections: [String: Container.Inspection] = [:]
    private var outdated: Set<String> = []
    private var stopping: [String: UInt64] = [:]
    /// Containers that have ended: a list may say that they run, also one that was asked for later, because an engine
    /// tells of an end before its lists do.
    private var ended: Set<String> = []
    /// Effects of events since the last list was asked for: its answer may be older.
    private var effects: [(container: String, effect: EngineEvent.Effect)] = []
    private var firstEvent: UInt64?
    private var lastEvent: UInt64 = 0
    private var isListing = false
    private var hasListed = false

    private var now: UInt64 { MonotonicClock.system.nanoseconds }

    /// Connects later; `prefix` begins the labels that count, with its dot.
    init(
        _ access: EngineAccess, prefix: String, observer: any ContainerObserver, isStopped: @escaping () -> Bool,
        publish: @escaping ([Container]) -> Void
    ) throws(EngineFailure) {
        client = try HTTPClient(access)
        self.access = access
        self.prefix = prefix
        self.observer = observer
        self.isStopped = isStopped
        self.publish = publish
    }

    private var name: String { access.endpoint.name }

    /// Lists all containers once, without following events.
    func listOnce(_ signal: borrowing EventSignal) throws(EngineFailure) {
        try negotiate(signal)
        try list(signal, isThorough: true)
    }

    /// Follows the engine until the connection ends, or the owner does.
    func follow(_ signal: borrowing EventSignal) throws(EngineFailure) {
        try negotiate(signal)
        // `unowned`: the client and its transfers end with this session.
        let events = HTTPTransfer(maxBytes: 0) { [unowned self] in take($0) }
        try client.begin("/v\(version)/events?filters=\(Self.eventFilter)", events, within: nil)
        // The list must not be older than the stream. An engine answers at once; one that does not is still listed.
        let deadline = now + Self.longestWait
        while !events.isDone, !events.hasAnswer, !isStopped(), now < deadline {
            try client.step(signal, milliseconds: 20)
        }
        try list(signal, isThorough: true)
        try checkEnd(of: events)
        observer.connected(name, version: version)
        var nextList = now + Self.listInterval
        while !isStopped() {
            try checkEnd(of: events)
            let due = listingDue.map { min($0, nextList) } ?? nextList
            let time = now
            if time >= due {
                let isThorough = time >= nextList
                try list(signal, isThorough: isThorough)
                if isThorough { nextList = now + Self.listInterval }
                continue
            }
            try client.step(signal, milliseconds: Int((due - time) / Self.millisecond) + 1)
        }
    }

    /// Throws where the stream of events is over, or was refused.
    private func checkEnd(of events: HTTPTransfer) throws(EngineFailure) {
        guard events.isDone else { return }
        if events.status != 200, events.problem == nil { throw refused("/events", events.status, nil) }
        throw EngineFailure(.connect, events.problem ?? "the stream of events has ended")
    }

    /// Events of containers and networks. The same as a query: `{"type":["container","network"]}`.
    private static let eventFilter = "%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D"

    /// The time at which all containers are listed because of events; nil where there were none.
    private var listingDue: UInt64? {
        firstEvent.map { min($0 + Self.longestWait, lastEvent + Self.quietTime) }
    }

    // MARK: Requests

    private func negotiate(_ signal: borrowing EventSignal) throws(EngineFailure) {
        version = try APIVersion.negotiated(ask("/version", signal, maxBytes: Self.maxAnswerBytes)).description
    }

    /// The answer to a request. Events are taken meanwhile.
    private func ask(
        _ path: String, _ signal: borrowing EventSignal, maxBytes: Int
    ) throws(EngineFailure) -> JSONNode {
        guard let answer = try askIfThere(path, signal, maxBytes: maxBytes) else { throw refused(path, 404, nil) }
        return answer
    }

    /// The same; nil where the engine has nothing of this path.
    private func askIfThere(
        _ path: String, _ signal: borrowing EventSignal, maxBytes: Int
    ) throws(EngineFailure) -> JSONNode? {
        let transfer = HTTPTransfer(maxBytes: maxBytes)
        try client.begin(path, transfer, within: Self.answerMilliseconds)
        while !transfer.isDone {
            if isStopped() { throw EngineFailure(.connect, "no longer wanted") }
            try client.step(signal, milliseconds: 1_000)
        }
        if let problem = transfer.problem { throw EngineFailure(.connect, problem) }
        if transfer.isTooLarge {
            throw EngineFailure(.parse, "an answer of more than \(maxBytes >> 20) MiB is not read")
        }
        if transfer.status == 404 { return nil }
        let answer: JSONNode
        do throws(JSONReader.Fault) {
            answer = try JSONReader.read(transfer.body)
        } catch {
            guard transfer.status == 200 else { throw refused(path, transfer.status, nil) }
            throw EngineFailure(.parse, "the answer is no JSON: \(error.message) behind \(error.offset) bytes")
        }
        guard transfer.status == 200 else { throw refused(path, transfer.status, answer["message"]?.text) }
        return answer
    }

    private func refused(_ path: String, _ status: Int, _ message: String?) -> EngineFailure {
        let plain = path.prefix { $0 != "?" }
        return EngineFailure(
            .connect,
            "`\(plain)` is answered with \(status)\(message.map { ": \(shown($0))" } ?? "")"
                + (status == 403 ? "; a socket proxy must allow containers, events and version" : ""))
    }

    /// Lists all containers. Where that is thorough, what is not in the list is asked for again of each.
    private func list(_ signal: borrowing EventSignal, isThorough: Bool) throws(EngineFailure) {
        effects = []
        firstEvent = nil
        isListing = true
        defer { isListing = false }
        let answer = try ask("/v\(version)/containers/json?all=1", signal, maxBytes: Self.maxListBytes)
        var found = try Container.list(answer)
        try complete(&found, signal, isThorough: isThorough)
        containers = Dictionary(found.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        inspections = inspections.filter { containers[$0.key] != nil }
        outdated = outdated.filter { inspections[$0] != nil }
        let time = now
        stopping = stopping.filter { time < $0.value && containers[$0.key] != nil }
        // A thorough list is right whatever the events were.
        ended = isThorough ? [] : ended.filter { containers[$0]?.isAlive == true }
        for id in ended { containers[id]?.state = .exited }
        for (id, effect) in effects { _ = apply(effect, to: id) }
        isListing = false
        hasListed = true
        show()
        observer.listed(name)
    }

    /// Asks for what the list does not tell of containers with labels: Docker's has no ports of one that publishes and
    /// exposes none by itself, Podman's no more than ``Container/isAbridged`` says.
    private func complete(
        _ found: inout [Container], _ signal: borrowing EventSignal, isThorough: Bool
    ) throws(EngineFailure) {
        let deadline = now + Self.inspectionTime
        var isLate = false
        for index in found.indices {
            let (id, isAbridged) = (found[index].id, found[index].isAbridged)
            guard found[index].isAlive, isAbridged || found[index].ports.isEmpty,
                found[index].labels.contains(where: { $0.key.hasPrefix(prefix) })
            else { continue }
            let known = inspections[id]
            if known == nil || outdated.contains(id) || (isThorough && isAbridged) {
                if now < deadline {
                    inspections[id] = try inspect(id, signal) ?? known
                } else if !isLate {
                    isLate = true
                    observer.failed(
                        name, EngineFailure(.connect, "it takes too long to ask for each container"), isAway: false)
                }
            }
            if let inspection = inspections[id] {
                found[index].add(inspection)
            } else if isAbridged {
                // It gets no clients before its health is known.
                found[index].health = .starting
            }
        }
    }

    /// The answer about one container; nil where there is none: it may be gone meanwhile, as an event tells.
    private func inspect(
        _ id: String, _ signal: borrowing EventSignal
    ) throws(EngineFailure) -> Container.Inspection? {
        // Before it is asked: an event that comes meanwhile makes the answer an old one.
        outdated.remove(id)
        do throws(EngineFailure) {
            return try askIfThere("/v\(version)/containers/\(id)/json", signal, maxBytes: Self.maxAnswerBytes)
                .map { Container.Inspection($0) }
        } catch {
            if isStopped() { throw error }
            outdated.insert(id)
            observer.failed(name, error, isAway: false)
            return nil
        }
    }

    // MARK: Events

    private func take(_ bytes: [UInt8]) {
        let (lines, isCut) = lines.take(bytes)
        if isCut { observer.failed(name, EngineFailure(.parse, "an event is longer than 1 MiB"), isAway: false) }
        var isUrgent = false
        for line in lines {
            observer.sawEvent(name)
            do throws(JSONReader.Fault) {
                guard let event = EngineEvent(try JSONReader.read(line)) else { continue }
                if firstEvent == nil { firstEvent = now }
                lastEvent = now
                guard let id = event.container else { continue }
                if inspections[id] != nil || isListing { outdated.insert(id) }
                guard event.effect != .other else { continue }
                if isListing, effects.count < Self.maxEffects { effects.append((id, event.effect)) }
                if apply(event.effect, to: id) { isUrgent = true }
            } catch {
                observer.failed(name, EngineFailure(.parse, "an event is no JSON: \(error.message)"), isAway: false)
            }
        }
        if isUrgent { show() }
    }

    /// Changes what is known of a container. Whether anything did.
    private func apply(_ effect: EngineEvent.Effect, to id: String) -> Bool {
        let wasStopping = stopping[id] != nil
        // Also of a container that no list has had yet: none will tell.
        if effect == .stopping { stopping[id] = now + Self.stoppingTime }
        if effect == .started { ended.remove(id) }
        guard var container = containers[id] else { return false }
        if effect == .gone { ended.insert(id) }
        let before = container
        switch effect {
        case .gone:
            container.state = .exited
            stopping[id] = nil
        case .paused(let isPaused): container.state = isPaused ? .paused : .running
        case .disconnected(let network?): container.networks.removeAll { $0.name == network }
        case .disconnected(nil): if container.networks.count == 1 { container.networks = [] }
        // The next list has its networks.
        case .started, .stopping, .other: break
        }
        if container.networks.isEmpty, !before.networks.isEmpty { container.hasLeftNetworks = true }
        containers[id] = container
        return container != before || (stopping[id] != nil) != wasStopping
    }

    private func show() {
        guard hasListed else { return }
        publish(
            containers.values.map { container in
                var container = container
                if stopping[container.id] != nil { container.isStopping = true }
                if container.state != .running { container.isStopping = false }
                return container
            }.sorted { $0.id < $1.id })
    }
}
