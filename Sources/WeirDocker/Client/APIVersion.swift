/// A version of the Docker Engine API, such as 1.43.
struct APIVersion: Comparable, CustomStringConvertible {
    let major: Int
    let minor: Int

    /// The oldest version that has everything which is asked for, and the newest that Weir knows.
    static let known = APIVersion(major: 1, minor: 24)...APIVersion(major: 1, minor: 52)

    init(major: Int, minor: Int) {
        (self.major, self.minor) = (major, minor)
    }

    /// Reads `1.43`; nil for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, text.utf8.count < 16, let major = parts[0], let minor = parts[1] else { return nil }
        self.init(major: major, minor: minor)
    }

    var description: String { "\(major).\(minor)" }

    static func < (left: APIVersion, right: APIVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    /// The version to speak with an engine, by its answer to `/version`.
    static func negotiated(_ answer: JSONNode) throws(EngineFailure) -> APIVersion {
        guard let newest = answer["ApiVersion"]?.text.flatMap({ APIVersion($0) }) else {
            throw EngineFailure(.version, "the engine names no version of its API: is it one?")
        }
        let oldest = answer["MinAPIVersion"]?.text.flatMap { APIVersion($0) } ?? known.lowerBound
        let chosen = min(newest, known.upperBound)
        guard chosen >= known.lowerBound, chosen >= oldest else {
            throw EngineFailure(
                .version,
                "the engine speaks the versions \(oldest) to \(newest) of its API, and Weir \(known.lowerBound) to "
                    + "\(known.upperBound)")
        }
        return chosen
    }
}
