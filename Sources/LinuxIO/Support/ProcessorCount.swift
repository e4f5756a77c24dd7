import CLinux

/// The processors that this process may use, and what limits them.
public struct ProcessorCount: Sendable, Equatable, CustomStringConvertible {
    /// The limit.
    public enum Source: Sendable, Equatable {
        /// The machine has no more.
        case online
        /// The process may run on these only (sched_getaffinity(2), or a cpuset), out of `online`.
        case affinity(online: Int)
        /// The quota of a control group, in processors; it is rounded up.
        case quota(Double)
    }

    /// At least 1.
    public let count: Int
    /// The limit that decides.
    public let source: Source

    /// `2 processors`, `2 of 8 processors (affinity)`, `a quota of 1.5 processors (cgroup)`.
    public var description: String {
        switch source {
        case .online: "\(count) \(count == 1 ? "processor" : "processors")"
        case .affinity(let online): "\(count) of \(online) processors (affinity)"
        case .quota(let quota): "a quota of \(Self.text(quota)) processors (cgroup)"
        }
    }

    private static func text(_ quota: Double) -> String {
        let hundredths = Int(min(quota, 1e6) * 100)
        let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
        if rest == 0 { return "\(whole)" }
        return rest % 10 == 0 ? "\(whole).\(rest / 10)" : "\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }

    init(online: Int, affinity: Int?, quota: Double?) {
        let usable = max(1, min(affinity ?? online, online))
        if let quota, quota.rounded(.up) < Double(usable) {
            count = max(1, Int(quota.rounded(.up)))
            source = .quota(quota)
        } else {
            count = usable
            source = usable < online ? .affinity(online: online) : .online
        }
    }

    /// The processors of this process now.
    public static var current: ProcessorCount {
        let affinity = Int(weir_affinity_count())
        return ProcessorCount(
            online: Int(weir_online_count()), affinity: affinity > 0 ? affinity : nil,
            quota: ProcessorQuota.processors { SystemFile.text(of: $0, limit: maxFileBytes) })
    }

    private static let maxFileBytes = 1 << 18
}
