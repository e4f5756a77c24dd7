import LinuxIO
import NetworkTypes

/// Sources of datagrams that were denied a session, so that what they send next is dropped without asking again.
///
/// A bounded table: each mark has two places that it can have, and a new one takes that of the two which was silent for
/// longer. So a flood from more sources than fit only means that some are judged again. Confined to its worker.
struct DeniedSources {
    /// A source as one plan has judged it at one listener.
    struct Mark: Hashable {
        let key: SessionKey
        /// The client that a PROXY header named.
        let client: SocketAddress?
        let listener: UInt32
        let generation: Int
    }

    private struct Place {
        var mark: Mark
        var lastSeen: UInt64
    }

    /// A power of two. The memory, under 2 MiB, is taken when the first source is denied.
    static let capacity = 16_384

    private var places: [Place?] = []

    /// Whether the source was denied, and has not been silent for `silence` nanoseconds since. Being asked about is being
    /// heard.
    mutating func holds(_ mark: Mark, now: UInt64, silence: UInt64) -> Bool {
        if places.isEmpty { return false }
        let first = Self.firstPlace(of: mark)
        for index in first...(first + 1) {
            guard let place = places[index], place.mark == mark else { continue }
            guard now - min(now, place.lastSeen) < silence else {
                places[index] = nil
                return false
            }
            places[index]?.lastSeen = now
            return true
        }
        return false
    }

    /// Remembers a source that was denied just now.
    mutating func insert(_ mark: Mark, now: UInt64) {
        if places.isEmpty { places = Array(repeating: nil, count: Self.capacity) }
        let first = Self.firstPlace(of: mark)
        let isSecondOlder = (places[first + 1]?.lastSeen ?? 0) < (places[first]?.lastSeen ?? 0)
        places[isSecondOlder ? first + 1 : first] = Place(mark: mark, lastSeen: now)
    }

    /// The hash has a seed of its process (``Hasher``): nobody outside can choose sources that share a place.
    private static func firstPlace(of mark: Mark) -> Int {
        mark.hashValue & (capacity - 2)
    }
}
