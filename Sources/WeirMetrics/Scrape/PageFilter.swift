/// A part of the page: families by name, series by label. What a derived gauge is made of is read all the same, so that the
/// identity holds in every part.
public struct PageFilter: Sendable, Hashable {
    /// Patterns of names, of which one must fit; none is all families.
    private let names: [[UInt8]]
    private let labels: [Label]

    /// One label that is asked about.
    private struct Label: Hashable {
        var name: String
        /// The beginning of its pair in a sample line, `name="`.
        var prefix: [UInt8]
        /// The wanted values as a sample line holds them, in the order of their bytes: the cost of a series does not grow
        /// with each value that is asked for.
        var values: [[UInt8]]
    }

    /// - Parameters:
    ///   - names: names of families, or of a histogram's samples; `*` stands for any characters. None is every name.
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

    /// Whether series of this family can be in the part.
    func admits(_ descriptor: MetricDescriptor) -> Bool {
        guard labels.allSatisfy({ descriptor.labelNames.contains($0.name) }) else { return false }
        guard !names.isEmpty else { return true }
        let candidates = descriptor.sampleNames.map { Array($0.utf8) }
        return names.contains { pattern in candidates.contains { Self.fits($0, pattern) } }
    }

    /// Whether a series is in the part that has these label pairs in its lines.
    func admits(_ pairs: UnsafeRawBufferPointer) -> Bool {
        labels.allSatisfy { label in
            guard let value = unsafe Self.value(behind: label.prefix, in: pairs) else { return false }
            return unsafe Self.contains(label.values, value, of: pairs)
        }
    }

    /// Where the value behind `name="` is: at the beginning or behind a `,`. Within a value a quotation mark never stands
    /// without a backslash, so that no value can look like a pair.
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

    /// Whether the sorted `values` have the one in `range`, by halving.
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

    /// Below zero where `value` comes before the bytes in `range`, above it where it comes behind them.
    private static func compare(_ value: [UInt8], _ range: Range<Int>, of pairs: UnsafeRawBufferPointer) -> Int {
        for index in 0..<min(value.count, range.count) {
            let other = unsafe pairs[range.lowerBound + index]
            if value[index] != other { return Int(value[index]) - Int(other) }
        }
        return value.count - range.count
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
