import LinuxIO
import NetworkTypes
import Synchronization
import WeirAccess

/// Notices that all clients of a route come from one private address: a NAT gateway or a container bridge, which makes
/// `allow_local` let in everybody. One for each route name, for the life of the process; any worker.
final class SharedAddressDetector: Sendable {
    /// So many clients in a row from one address are no accident. The operator who reads the line can tell a single
    /// client that comes so often.
    static let clients = 16

    /// The first client's address, folded into one word that is never 0; 0 before it.
    private let first = Atomic<UInt64>(0)
    private let count = Atomic<Int>(0)
    /// The question is answered, one way or the other.
    private let isAnswered = Atomic<Bool>(false)

    /// Notes a client. True once, for the client with which it is certain enough.
    func note(_ address: IPAddress) -> Bool {
        if isAnswered.load(ordering: .relaxed) { return false }
        guard address.isPrivate, isFirst(address) else {
            // A client on this machine tells nothing of the addresses of others.
            if !address.isLoopback { isAnswered.store(true, ordering: .relaxed) }
            return false
        }
        guard count.add(1, ordering: .relaxed).newValue >= Self.clients else { return false }
        return !isAnswered.exchange(true, ordering: .relaxed)
    }

    /// Whether this is the first client's address. Two addresses that fold into the same word only make a warning too
    /// many.
    private func isFirst(_ address: IPAddress) -> Bool {
        let word = (address.high &* 0x9e37_79b9_7f4a_7c15 ^ address.low) | 1 << 63
        let (exchanged, original) = first.compareExchange(expected: 0, desired: word, ordering: .relaxed)
        return exchanged || original == word
    }
}
