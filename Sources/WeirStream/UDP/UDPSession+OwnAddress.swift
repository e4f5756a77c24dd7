import Glibc
import LinuxIO
import NetworkTypes

/// The address of this machine that a new socket has now towards one upstream address, and whether an earlier one is
/// gone. It is asked at most once a second, however many sessions ask. Confined to the worker.
struct OwnAddressProbe {
    /// The outcome for a session.
    enum Outcome {
        /// A new socket would have the same address.
        case same
        /// A new socket would have another address; the old one is still an address of this machine.
        case changed
        /// The old address is gone.
        case gone
    }

    private static let interval: UInt64 = 1_000_000_000

    private var askedAt: UInt64 = 0
    private var old = SocketAddress(.anyIPv4, port: 0)
    private var upstream: SocketAddress?
    private var outcome = Outcome.same

    /// Compares the local address of a session with that of a new one.
    mutating func outcome(
        of old: SocketAddress, towards upstream: SocketAddress, _ settings: UDPSettings, now: UInt64
    ) -> Outcome {
        if self.old.ip == old.ip, self.upstream == upstream, now - min(now, askedAt) < Self.interval { return outcome }
        (self.old, self.upstream, askedAt) = (old, upstream, now)
        outcome = Self.ask(old, upstream, settings)
        return outcome
    }

    private static func ask(_ old: SocketAddress, _ upstream: SocketAddress, _ settings: UDPSettings) -> Outcome {
        let family = Socket.family(of: upstream)
        if let socket = try? Socket(.datagram, family: family), (try? socket.prepareDial(settings)) != nil,
            case .connected = socket.connect(to: upstream), let chosen = try? socket.localAddress().ip, chosen == old.ip
        {
            return .same
        }
        do throws(SystemError) {
            // Only an address of this machine can be bound.
            try Socket(.datagram, family: family).bind(SocketAddress(old.ip, port: 0, scope: old.scope))
            return .changed
        } catch {
            return error.code == EADDRNOTAVAIL ? .gone : .changed
        }
    }
}

// A session's socket keeps the address of this machine with which it was connected. When that address is gone, or is no
// longer the one that reaches the upstream (DHCP, an IPv6 privacy address, another uplink), no answer can come.
extension UDPSession {
    /// The time without a reply after which the session looks whether its own address is gone.
    private static let goneNanoseconds: UInt64 = 1_000_000_000
    /// The time without a reply after which a session that had replies takes another address of this machine although
    /// the old one is still there: what the upstream keeps for the old address is then lost.
    private static let changedNanoseconds: UInt64 = 10_000_000_000

    /// Connects anew, in place, where questions stay unanswered and our address towards the upstream has changed.
    func leaveOwnAddress(waitingSince: UInt64) {
        let now = core.loop.now
        let waited = now - min(now, waitingSince)
        guard waited >= Self.goneNanoseconds, now >= nextOwnAddressLook, phase == .open else { return }
        // Traffic that is never answered looks no more often than once a second.
        nextOwnAddressLook = now + Self.goneNanoseconds
        switch ownAddressOutcome() {
        case .same: return
        case .gone: connectAnew()
        case .changed: if hasReply, waited >= Self.changedNanoseconds { connectAnew() }
        }
    }

    /// Whether the kernel refuses to send because our address is gone: EINVAL for IPv4, or the error of a way that went
    /// with it.
    var isOwnAddressGone: Bool { ownAddressOutcome() == .gone }

    private func ownAddressOutcome() -> OwnAddressProbe.Outcome {
        guard let upstreamAddress, let member, let state = route.state(of: member),
            let own = try? socket?.localAddress()
        else { return .same }
        return state.ownAddress.outcome(of: own, towards: upstreamAddress, route.settings, now: core.loop.now)
    }

    /// Replaces the socket by one with another address of this machine. Returns false where there is no way to the
    /// upstream from any.
    @discardableResult
    func connectAnew() -> Bool {
        // Where the connect fails, the session keeps its socket.
        guard let upstreamAddress,
            let new = try? UDPDialer.connect(to: upstreamAddress, route.settings, loop: core.loop, token: token)
        else { return false }
        adopt(new, at: upstreamAddress)
        coalescesIngress = true
        unansweredSince = core.loop.now
        route.observer?.moved(context, reason: .ownAddressChanged)
        return true
    }
}
