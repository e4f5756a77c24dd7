/// The differences of OpenMetrics text 1.0.0 from Prometheus text 0.0.4: other family headers and an end of the page.
/// Lines of samples are the same in both (see ``TextFormat``), so that a change of format begins no new series.
///
/// Source: the OpenMetrics specification 1.0.0, "Text format" and "Metric types".
enum OpenMetricsFormat {
    /// The last line of every page.
    static let end = Array("# EOF\n".utf8)

    /// TYPE, UNIT where the name carries it, and HELP, each with its line end.
    static func header(of descriptor: MetricDescriptor) -> [UInt8] {
        let name = familyName(of: descriptor)
        var text = Array("# TYPE \(name) \(typeName(of: descriptor))\n".utf8)
        if let unit = unit(of: descriptor) { text += "# UNIT \(name) \(unit)\n".utf8 }
        text += "# HELP \(name) ".utf8
        TextFormat.escape(descriptor.help, quotes: true, into: &text)
        text.append(UInt8(ascii: "\n"))
        return text
    }

    /// The unit, where the name carries it: by the rules it is told only there.
    static func unit(of descriptor: MetricDescriptor) -> String? {
        let isCarried = !descriptor.unit.isEmpty && familyName(of: descriptor).hasSuffix("_" + descriptor.unit)
        return isCarried ? descriptor.unit : nil
    }

    /// A counter's family goes without the `_total` of its sample.
    private static func familyName(of descriptor: MetricDescriptor) -> String {
        isCounterWithSuffix(descriptor) ? String(descriptor.name.dropLast(totalSuffix.count)) : descriptor.name
    }

    /// A counter without that suffix would be no valid one: its samples are shown as of unknown type.
    private static func typeName(of descriptor: MetricDescriptor) -> String {
        guard case .counter = descriptor.kind, !isCounterWithSuffix(descriptor) else { return descriptor.kind.typeName }
        return "unknown"
    }

    private static let totalSuffix = "_total"

    private static func isCounterWithSuffix(_ descriptor: MetricDescriptor) -> Bool {
        guard case .counter = descriptor.kind else { return false }
        return descriptor.name.hasSuffix(totalSuffix) && descriptor.name.count > totalSuffix.count
    }
}
