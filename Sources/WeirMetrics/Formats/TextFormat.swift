/// The words of the text formats, rendered once for each family and series at registration. Pure functions over bytes.
/// Source: Prometheus "Exposition formats", text format 0.0.4.
enum TextFormat {
    /// `# HELP …` and `# TYPE …`, each with its line end.
    static func header(of descriptor: MetricDescriptor) -> [UInt8] {
        var text = Array("# HELP \(descriptor.name) ".utf8)
        escape(descriptor.help, quotes: false, into: &text)
        text += "\n# TYPE \(descriptor.name) \(descriptor.kind.typeName)\n".utf8
        return text
    }

    /// The label pairs of a series, as they stand between the braces.
    static func pairs(of descriptor: MetricDescriptor, labels: [String]) -> [UInt8] {
        var pairs: [UInt8] = []
        for (name, value) in zip(descriptor.labelNames, labels) {
            if !pairs.isEmpty { pairs.append(UInt8(ascii: ",")) }
            pairs += name.utf8
            pairs += "=\"".utf8
            escape(value, quotes: true, into: &pairs)
            pairs.append(UInt8(ascii: "\""))
        }
        return pairs
    }

    /// The text before and behind the label pairs in each line of a series, with the space before the value: buckets
    /// (`+Inf` last), sum and count of a histogram, one line for the others.
    static func templates(of descriptor: MetricDescriptor) -> [(head: [UInt8], tail: [UInt8])] {
        let hasLabels = !descriptor.labelNames.isEmpty
        func template(_ suffix: String, _ extra: String = "") -> (head: [UInt8], tail: [UInt8]) {
            let hasBraces = hasLabels || !extra.isEmpty
            let separator = hasLabels && !extra.isEmpty ? "," : ""
            return (
                Array("\(descriptor.name)\(suffix)\(hasBraces ? "{" : "")".utf8),
                Array("\(separator)\(extra)\(hasBraces ? "}" : "") ".utf8)
            )
        }
        guard case .histogram(let buckets) = descriptor.kind else { return [template("")] }
        let bounds = buckets.map { canonical($0, decimalDigits: descriptor.scale.decimalDigits) } + ["+Inf"]
        return bounds.map { template("_bucket", "le=\"\($0)\"") } + [template("_sum"), template("_count")]
    }

    /// Backslash and line feed are escaped in HELP and in label values, the quotation mark in label values only.
    static func escape(_ value: String, quotes: Bool, into text: inout [UInt8]) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): text += "\\\\".utf8
            case UInt8(ascii: "\n"): text += "\\n".utf8
            case UInt8(ascii: "\"") where quotes: text += "\\\"".utf8
            default: text.append(byte)
            }
        }
    }

    /// `value × 10^-decimalDigits` in the canonical form of OpenMetrics, which is that of Go's `%g` with `.0` behind
    /// whole numbers: `0.005`, `1.0`, `86400.0`, `1e+06`, `5e-05`. Exact, because the digits are those of the integer.
    /// Used for `le` in every format, so that a change of format does not begin new series.
    static func canonical(_ value: UInt64, decimalDigits: Int) -> String {
        if value == 0 { return "0.0" }
        var digits = String(value)
        // Value = 0.digits × 10^(exponent + 1), that is d.ddd × 10^exponent.
        let exponent = digits.utf8.count - 1 - decimalDigits
        while digits.hasSuffix("0") { digits.removeLast() }
        if exponent < -4 || exponent >= 6 {
            let mantissa = digits.count == 1 ? digits : "\(digits.prefix(1)).\(digits.dropFirst())"
            let magnitude = String(abs(exponent))
            return "\(mantissa)e\(exponent < 0 ? "-" : "+")\(magnitude.utf8.count < 2 ? "0" : "")\(magnitude)"
        }
        if exponent < 0 { return "0." + String(repeating: "0", count: -exponent - 1) + digits }
        let whole = exponent + 1
        if digits.count <= whole { return digits + String(repeating: "0", count: whole - digits.count) + ".0" }
        return "\(digits.prefix(whole)).\(digits.dropFirst(whole))"
    }
}
