import LinuxIO
import NetworkTypes

@testable import WeirStream

/// Records that a test changes, and the names that were asked for.
final class ScriptedRecords: MemberRecords {
    private struct State {
        var hosts: [String: Result<HostAddresses, AddressLookup.Failure>] = [:]
        var services: [String: Result<ServiceRecords, AddressLookup.Failure>] = [:]
        var asked: [String] = []
        var onQuestion: @Sendable () -> Void = {}
    }

    private let state = Box(State())

    /// The names that were asked for, in their order.
    var asked: [String] { state.value.asked }

    func set(_ host: String, _ texts: [String], ttl: Int? = 60, unanswered: HostAddresses.Family? = nil) {
        let addresses = texts.compactMap { IPAddress($0).map { SocketAddress($0, port: 0) } }
        let found = HostAddresses(addresses, timeToLive: ttl.map { .seconds($0) }, unanswered: unanswered)
        state.update { $0.hosts[host] = .success(found) }
    }

    func fail(_ host: String, _ failure: AddressLookup.Failure) {
        state.update { $0.hosts[host] = .failure(failure) }
    }

    func set(service name: String, _ services: [DNSService], ttl: Int = 60) {
        state.update { $0.services[name] = .success(ServiceRecords(services, timeToLive: .seconds(ttl))) }
    }

    func fail(service name: String, _ failure: AddressLookup.Failure) {
        state.update { $0.services[name] = .failure(failure) }
    }

    /// Runs with every question from now on.
    func onQuestion(_ body: @escaping @Sendable () -> Void) { state.update { $0.onQuestion = body } }

    func addresses(of host: String) throws(AddressLookup.Failure) -> HostAddresses {
        note(host)
        return try (state.value.hosts[host] ?? .failure(.notFound)).get()
    }

    func services(of name: String) throws(AddressLookup.Failure) -> ServiceRecords {
        note(name)
        return try (state.value.services[name] ?? .failure(.notFound)).get()
    }

    private func note(_ name: String) {
        let body = state.update { state in
            state.asked.append(name)
            return state.onQuestion
        }
        body()
    }
}

extension DNSService {
    /// A service at a host, which must be a name.
    static func at(_ host: String, port: UInt16 = 1_812, priority: UInt16 = 0, weight: UInt16 = 0) -> DNSService {
        // The tests write names only.
        DNSService(priority: priority, weight: weight, port: port, target: DNSName(host)!)
    }
}

extension ResolvedMember {
    /// A member whose address must be one, with its port.
    static func at(_ text: String, priority: UInt16 = 0, weight: UInt16 = 0) -> ResolvedMember {
        // The tests write addresses only.
        ResolvedMember(SocketAddress(text)!, priority: priority, weight: weight)
    }
}
