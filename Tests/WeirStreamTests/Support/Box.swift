import LinuxIO
import NetworkTypes
import Synchronization
import TestSupport
import Threading
import WeirStream

/// A value behind a lock, for tests that look into other threads.
final class Box<Value: Sendable>: Sendable {
    private let state: Lock<Value>

    init(_ value: Value) { state = Lock(value) }

    var value: Value { state.withLock { $0 } }

    func set(_ value: Value) { state.withLock { $0 = value } }

    func update<Result: Sendable>(_ change: (inout Value) -> Result) -> Result {
        state.withLock { change(&$0) }
    }
}

extension Box where Value == Int {
    @discardableResult
    func add(_ count: Int) -> Int {
        update {
            $0 += count
            return $0
        }
    }
}

/// A clock that stands until it is turned.
final class TestClock: Sendable {
    private let time = Atomic<UInt64>(1_000_000_000_000)

    var clock: MonotonicClock { MonotonicClock { self.time.load(ordering: .relaxed) } }

    func advance(by duration: Duration) {
        time.wrappingAdd(duration.clampedNanoseconds, ordering: .relaxed)
    }
}

/// Answers from a table that the test changes.
final class TableResolver: NameResolver {
    private let table: Box<[String: [SocketAddress]]>
    private let asked = Box<[String: Int]>([:])

    init(_ names: [String: [String]]) { table = Box(names.mapValues(Self.addresses)) }

    func set(_ name: String, _ addresses: [String]) {
        let parsed = Self.addresses(addresses)
        table.update { $0[name] = parsed }
    }

    /// How often the name was asked for.
    func lookUps(of name: String) -> Int { asked.value[name] ?? 0 }

    func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress] {
        asked.update { $0[host, default: 0] += 1 }
        guard let addresses = table.value[host], !addresses.isEmpty else { throw .notFound }
        return addresses
    }

    private static func addresses(_ texts: [String]) -> [SocketAddress] {
        texts.compactMap { IPAddress($0).map { SocketAddress($0, port: 0) } }
    }
}

/// Answers only once it is let go; then with the given addresses, or with a failure.
final class HangingResolver: NameResolver {
    private let answer: [SocketAddress]
    private let isFree = Box(false)

    init(answer: [String] = []) {
        self.answer = answer.compactMap { IPAddress($0).map { SocketAddress($0, port: 0) } }
    }

    func letGo() { isFree.set(true) }

    func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress] {
        do {
            try waitUntil("the lookup is let go", deadline: .seconds(30)) { isFree.value }
        } catch {
            throw .unavailable
        }
        if answer.isEmpty { throw .notFound }
        return answer
    }
}
