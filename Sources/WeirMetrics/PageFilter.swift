/// A part of the page: families by name, series by label. What a derived gauge is made of is read all the same, so that the
/// identity holds in every part.
public struct PageFilter: Sendable, Hashable {
    /// Patterns of names, of which one must fit; none is all families.
    private let names: [[UInt8]]
    /// For each label that is asked about: its wanted values as a sample line holds them, `name="value"`.
    private let labels: [String: [[UInt8]]]

    /// - Parameters:
    ///   - names: names of families, or of a histogram's samples; `*` stands for any characters. None is every name.
    ///   - labels: label names and the values that are wanted; a family without such a label is left out.
    public init(names: [String] = [], labels: [String: Set<String>] = [:]) {
        self.names = names.map { Array($0.utf8) }
        self.labels = Dictionary(
            uniqueKeysWithValues: labels.map { label, values in (label, values.sorted().map { Self.pair(label, $0) }) })
    }

    private static func pair(_ label: String, _ value: String) -> [UInt8] {
        var text = Array("\(label)=\"".utf8)
        TextFormat.escape(value, quotes: true, into: &text)
        text.append(UInt8(ascii: "\""))
        return text
    }

    /// Whether series of this family can be in the part.
    func admits(_ descriptor: MetricDescriptor) -> Bool {
        guard labels.keys.allSatisfy(descriptor.labelNames.contains) else { return false }
        guard !names.isEmpty else { return true }
        let candidates = descriptor.sampleNames.map { Array($0.utf8) }
        return names.contains { pattern in candidates.contains { Self.fits($0, pattern) } }
    }

    /// Whether a series is in the part that has these label pairs in its lines.
    func admits(_ pairs: UnsafeRawBufferPointer) -> Bool {
        labels.values.allSatisfy { wanted in wanted.contains { unsafe Self.holds(pairs, $0) } }
    }

    /// Whether the pairs have that one: at their beginning or behind a `,`. Within a value a quotation mark never stands
    /// without a backslash, so that no value can look like a pair.
    private static func holds(_ pairs: UnsafeRawBufferPointer, _ pair: [UInt8]) -> Bool {
        guard pairs.count >= pair.count else { return false }
        for start in 0...(pairs.count - pair.count) {
            guard unsafe start == 0 || pairs[start - 1] == UInt8(ascii: ",") else { continue }
            if unsafe UnsafeRawBufferPointer(rebasing: pairs[start..<start + pair.count]).elementsEqual(pair) {
                return true
            }
        }
        return false
    }

    /// Whether a name fits a pattern with `*`. Linear but for going back to the last star: no pattern can make it long.
    static func fits(_ name: [UInt8], _ pattern: [UInt8]) -> Bool {
        var (position, place) = (0, 0)
        var (star, retry) = (-1, 0)
        while position < name.count {
            if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
                (star, retry) = (place, position)
                place += 1
            } else if place < pattern.count, pattern[place] == name[position] {
                position += 1
                place += 1
            } else if star >= 0 {
                retry += 1
                (place, position) = (star + 1, retry)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

extension MetricDescriptor {
    /// The family's name and those of its samples.
    fileprivate var sampleNames: [String] {
        guard case .histogram = kind else { return [name] }
        return [name, name + "_bucket", name + "_sum", name + "_count"]
    }
}
