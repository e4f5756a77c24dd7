/// A selection of the page: families by name, series by label. The counters of a derived gauge are read in any case, so
/// that the identity holds in every part.
public struct PageFilter: Sendable, Hashable {
    /// Patterns of names, of which one must match; empty matches all families.
    private let names: [[UInt8]]
    private let labels: [Label]

    /// One label and its wanted values.
    private struct Label: Hashable {
        var name: String
        /// The beginning of its pair in a sample line, `name="`.
        var prefix: [UInt8]
        /// The wanted values in the form of a sample line, sorted by their bytes for a binary search: the cost per
        /// series does not grow linearly with their number.
        var values: [[UInt8]]
    }

    /// - Parameters:
    ///   - names: names of families, or of a histogram's samples; `*` matches any characters. Empty matches every name.
    ///   - labels: label names and the values that are wanted; a family without such a label is left out.
    public init(names: [String] = [], labels: [String: Set<String>] = [:]) {
        self.names = names.map { Array($0.utf8) }
        self.labels = labels.sorted { $0.key < $1.key }.map { label, values in
            let sorted = values.map(Self.escaped).sorted { $0.lexicographicallyPrecedes($1) }
            return Label(name: label, prefix: Array("\(label)=\"".utf8), values: sorted)
        }
    }

    private static func escaped(_ value: String) -> [UInt8] {
        var text: [UInt8] = []
        TextFormat.escape(value, quotes: true, into: &text)
        return text
    }

    /// Whether the page can contain series of this family.
    func matches(_ descriptor: MetricDescriptor) -> Bool {
        guard labels.allSatisfy({ descriptor.labelNames.contains($0.name) }) else { return false }
        guard !names.isEmpty else { return true }
        let candidates = descriptor.sampleNames.map { Array($0.utf8) }
        return names.contains { pattern in candidates.contains { Self.fits($0, pattern) } }
    }

    /// Whether the page contains the series with these label pairs.
    func matches(_ pairs: UnsafeRawBufferPointer) -> Bool {
        labels.allSatisfy { label in
            guard let value = unsafe Self.value(behind: label.prefix, in: pairs) else { return false }
            return unsafe Self.contains(label.values, value, of: pairs)
        }
    }

    /// The range of the value behind `name="`, which begins the pairs or follows a `,`. Within a value every quotation
    /// mark follows a backslash, so that no value can look like a pair.
    private static func value(behind prefix: [UInt8], in pairs: UnsafeRawBufferPointer) -> Range<Int>? {
        guard pairs.count >= prefix.count else { return nil }
        for start in 0...(pairs.count - prefix.count) {
            guard unsafe start == 0 || pairs[start - 1] == UInt8(ascii: ","),
                unsafe UnsafeRawBufferPointer(rebasing: pairs[start..<start + prefix.count]).elementsEqual(prefix)
            else { continue }
            let lower = start + prefix.count
            var end = lower
            while end < pairs.count, unsafe pairs[end] != UInt8(ascii: "\"") {
                end += unsafe pairs[end] == UInt8(ascii: "\\") ? 2 : 1
            }
            return end < pairs.count ? lower..<end : nil
        }
        return nil
    }

    /// Whether the sorted `values` contain the one in `range`, by binary search.
    private static func contains(_ values: [[UInt8]], _ range: Range<Int>, of pairs: UnsafeRawBufferPointer) -> Bool {
        var candidates = 0..<values.count
        while !candidates.isEmpty {
            let middle = candidates.lowerBound + candidates.count / 2
            let order = unsafe compare(values[middle], range, of: pairs)
            if order == 0 { return true }
            candidates = order < 0 ? middle + 1..<candidates.upperBound : candidates.lowerBound..<middle
        }
        return false
    }

    /// Negative if `value` sorts before the bytes in `range`, positive if it sorts after them.
    private static func compare(_ value: [UInt8], _ range: Range<Int>, of pairs: UnsafeRawBufferPointer) -> Int {
        for index in 0..<min(value.count, range.count) {
            let other = unsafe pairs[range.lowerBound + index]
            if value[index] != other { return Int(value[index]) - Int(other) }
        }
        return value.count - range.count
    }

    /// Whether a name matches a pattern with `*`. Backtracks only to the last `*`: at most O(name × pattern) steps,
    /// never exponential.
    static func fits(_ name: [UInt8], _ pattern: [UInt8]) -> Bool {
        var (position, patternIndex) = (0, 0)
        var (star, retry) = (-1, 0)
        while position < name.count {
            if patternIndex < pattern.count, pattern[patternIndex] == UInt8(ascii: "*") {
                (star, retry) = (patternIndex, position)
                patternIndex += 1
            } else if patternIndex < pattern.count, pattern[patternIndex] == name[position] {
                position += 1
                patternIndex += 1
            } else if star >= 0 {
                retry += 1
                (patternIndex, position) = (star + 1, retry)
            } else {
                return false
            }
        }
        return pattern[patternIndex...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

extension MetricDescriptor {
    /// The family's name and those of its samples.
    fileprivate var sampleNames: [String] {
        guard case .histogram = kind else { return [name] }
        return [name, name + "_bucket", name + "_sum", name + "_count"]
    }
}
