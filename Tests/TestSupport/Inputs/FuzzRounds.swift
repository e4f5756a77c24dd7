import Glibc

/// The number of rounds of a seeded fuzz: `usual`, and five times as many in `scripts/test --full`, which sets
/// `WEIR_LONG_TESTS`. The longer run begins with the shorter one, because the seeds are the same.
package func fuzzRounds(_ usual: Int) -> Int { isLongRun ? usual * 5 : usual }

/// Whether tests run in their long variants.
package var isLongRun: Bool {
    guard let value = getenv("WEIR_LONG_TESTS") else { return false }
    return String(cString: value) == "true"
}
