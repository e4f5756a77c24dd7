import Glibc

/// Hands out ports that nothing uses, neither for TCP nor for UDP, each only once per test run.
///
/// They lie below the range from which the kernel takes ports for outgoing connections, so that no client of a
/// concurrent test can take one between the choice and its use.
package enum Ports {
    private static let taken = Shared<Set<UInt16>>([])
    /// `WEIR_TEST_SHARE` is `1/2` or `2/2` where another process runs tests beside this one, and has the other half.
    /// The tests in Python, which run beside these, too, take theirs from 20,240 on.
    private static let single: Range<UInt16> =
        switch getenv("WEIR_TEST_SHARE").map({ String(cString: $0) }) {
        case "1/2": 10_240..<15_240
        case "2/2": 15_240..<20_240
        default: 10_240..<20_240
        }
    /// Ranges have ports of their own: among many single ones that were handed out before, none of 1,000 would be left.
    private static let ranges = UInt16(24_000)..<32_000

    package static func free() throws -> UInt16 {
        for _ in 0..<2_000 {
            let candidate = UInt16.random(in: single)
            guard taken.withLock({ $0.insert(candidate).inserted }) else { continue }
            if isFree(candidate) { return candidate }
        }
        throw SystemFailure("find a free port", code: EADDRINUSE)
    }

    /// The first of `count` ports in a row, for programs that take a whole range, and that do not mind connections of
    /// earlier tests in TIME_WAIT (`SO_REUSEADDR`): of so many ports some always have one.
    package static func freeRange(_ count: UInt16) throws -> UInt16 {
        for _ in 0..<200 {
            let first = UInt16.random(in: ranges.lowerBound..<ranges.upperBound - count)
            let range = Set(first..<first + count)
            guard range.allSatisfy({ isFree($0, reusing: true) }) else { continue }
            let isOurs = taken.withLock { taken in
                guard taken.isDisjoint(with: range) else { return false }
                taken.formUnion(range)
                return true
            }
            if isOurs { return first }
        }
        throw SystemFailure("find \(count) free ports", code: EADDRINUSE)
    }

    private static func isFree(_ port: UInt16, reusing: Bool = false) -> Bool {
        for type in [SOCK_STREAM, SOCK_DGRAM] {
            let descriptor = socket(AF_INET, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { return false }
            defer { close(descriptor) }
            var isOn: Int32 = reusing && type == SOCK_STREAM ? 1 : 0
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
            guard (try? bindSocket(descriptor, to: "0.0.0.0", port: port)) != nil else { return false }
        }
        return true
    }
}
