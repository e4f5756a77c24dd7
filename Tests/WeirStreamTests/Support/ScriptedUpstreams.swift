import Glibc
import LinuxIO
import NetworkTypes
import TestSupport

@testable import WeirStream

/// Upstreams without a network: each address does what the script says, and its sockets are halves of pairs whose other
/// halves stay here, so that every one that is closed shows. Confined to the thread of its test.
final class ScriptedUpstreams {
    enum Behavior: Equatable {
        case connectsAtOnce
        case refusesAtOnce
        case connects(after: UInt64)
        case refuses(after: UInt64)
        case hangs
    }

    /// An attempt that the connector began.
    struct Attempt {
        let address: SocketAddress
        let tag: Int
        let startedAt: UInt64
        let behavior: Behavior
        let peer: CInt
        /// Whether another one had failed since the one before, or there was none before.
        let mayBeEarly: Bool
        var isTold = false
    }

    var behaviors: [SocketAddress: Behavior] = [:]
    private(set) var attempts: [Attempt] = []
    /// The failures that no attempt has followed yet, and the beginning of a dial. Two attempts may fail in one turn:
    /// each lets the next one begin at once.
    private var unfollowedFailures = 1

    deinit {
        for attempt in attempts { close(attempt.peer) }
    }

    func start(_ address: SocketAddress, tag: Int, now: UInt64) -> AttemptStart {
        let behavior = behaviors[address] ?? .hangs
        if behavior == .refusesAtOnce {
            // It follows one, and is one.
            unfollowedFailures = max(unfollowedFailures, 1)
            return .failed(SystemError(.connect, ECONNREFUSED))
        }
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            return .failed(SystemError(.socket, errno))
        }
        attempts.append(
            Attempt(
                address: address, tag: tag, startedAt: now, behavior: behavior, peer: ends[1],
                mayBeEarly: unfollowedFailures > 0))
        unfollowedFailures = max(unfollowedFailures - 1, 0)
        let socket = Socket(adopting: ends[0], family: .unix)
        return behavior == .connectsAtOnce ? .connected(socket) : .inProgress(socket)
    }

    /// A new dial begins: its first attempt waits for no other.
    func beginDial() { unfollowedFailures = 1 }

    /// Whether the connector's half is closed.
    func isClosed(_ index: Int) -> Bool {
        var byte: UInt8 = 0
        return recv(attempts[index].peer, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0
    }

    /// How many sockets are open.
    var openCount: Int { attempts.indices.count { !isClosed($0) } }

    /// The news that are due by now, each once, in the order of the attempts.
    func news(at now: UInt64) -> [(tag: Int, events: EventSet)] {
        var result: [(tag: Int, events: EventSet)] = []
        for index in attempts.indices where !attempts[index].isTold && !isClosed(index) {
            switch attempts[index].behavior {
            case .connects(let delay) where now >= attempts[index].startedAt + delay:
                result.append((attempts[index].tag, .writable))
            case .refuses(let delay) where now >= attempts[index].startedAt + delay:
                result.append((attempts[index].tag, .error))
                unfollowedFailures += 1
            default: continue
            }
            attempts[index].isTold = true
        }
        return result
    }
}

/// The times of a scripted dial.
struct ScriptedSettings: DialSettings {
    var preDialTimeout = Duration.seconds(5)
    var dialTimeout = Duration.seconds(5)
    var attemptTimeout: Duration?
    var dialFrom: DialSource?
    var isFreeBind = false
    var dscp: DSCP?
}

struct ScriptedDialer: UpstreamDialer {
    let script: ScriptedUpstreams

    func start(
        _ address: SocketAddress, of upstream: UpstreamState, settings: ScriptedSettings, loop: EventLoop,
        token: EventToken
    ) -> AttemptStart {
        script.start(address, tag: token.tag, now: loop.now)
    }

    func judge(_ socket: borrowing Socket, _ events: EventSet) -> AttemptJudgement {
        if events.contains(.error) { return .failed(SystemError(.connect, ECONNREFUSED)) }
        return events.contains(.writable) ? .connected : .inProgress
    }
}
