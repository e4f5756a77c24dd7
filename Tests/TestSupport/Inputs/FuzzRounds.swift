import Glibc

/// The number of rounds of a seeded fuzz: `usual`, and five times as many in `scripts/test --full`, which sets
/// `WEIR_LONG_TESTS`. The longer run begins with the shorter one, because the seeds are the same.
package func fuzzRounds(_ usual: Int) -> Int {
    guard let value = getenv("WEIR_LONG_TESTS"), String(cString: value) == "true" else { return usual }
    return usual * 5
}
