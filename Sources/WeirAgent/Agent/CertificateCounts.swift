import Threading

/// Counts the open connections of each certificate. Taken at the beginning and the end of a connection only.
final class CertificateCounts: Sendable {
    private let counts = Lock<[[UInt8]: Int]>([:])

    /// Counts one more. False, and nothing is counted, where the certificate has as many already.
    func enter(_ fingerprint: [UInt8], limit: Int?) -> Bool {
        counts.withLock { counts in
            let count = counts[fingerprint, default: 0]
            if let limit, count >= limit { return false }
            counts[fingerprint] = count + 1
            return true
        }
    }

    /// Counts one less.
    func leave(_ fingerprint: [UInt8]) {
        counts.withLock { counts in
            let count = counts[fingerprint, default: 0]
            counts[fingerprint] = count > 1 ? count - 1 : nil
        }
    }
}
