/// The live table of the demo, as text. Pure: two looks at the routes and the time between them.
struct DemoTable {
    /// Routes as they stood, and when.
    struct Snapshot {
        var reports: [RouteReport]
        var nanoseconds: UInt64
    }

    private static let headings = [
        "ROUTE", "PROTO", "ACTIVE", "IN/S", "OUT/S", "REJECTED", "DENIED", "TIMEOUTS", "FAILURES BY REASON",
    ]
    /// Columns of numbers are aligned to the right.
    private static let isNumber = [false, false, true, true, true, true, true, true, false]

    /// One line a route, and the headings above.
    static func lines(from before: Snapshot, to now: Snapshot) -> [String] {
        let earlier = Dictionary(before.reports.map { ($0.route, $0) }, uniquingKeysWith: { first, _ in first })
        let seconds = Double(now.nanoseconds - min(before.nanoseconds, now.nanoseconds)) / 1e9
        let rows = now.reports.map { report in
            let old = earlier[report.route]
            return [
                report.route, report.transport, "\(report.active)",
                rate(report.ingressBytes, old?.ingressBytes, seconds),
                rate(report.egressBytes, old?.egressBytes, seconds), "\(report.rejected)", "\(report.denied)",
                "\(report.timeouts)", failures(report.failures),
            ]
        }
        let widths = headings.indices.map { column in
            max(headings[column].count, rows.map { $0[column].count }.max() ?? 0)
        }
        return ([headings] + rows).map { line($0, widths: widths) }
    }

    private static func line(_ cells: [String], widths: [Int]) -> String {
        let padded = cells.indices.map { column in
            let padding = String(repeating: " ", count: widths[column] - cells[column].count)
            return isNumber[column] ? padding + cells[column] : cells[column] + padding
        }
        var text = padded.joined(separator: "  ")
        while text.last == " " { text.removeLast() }
        return text
    }

    private static func failures(_ counts: [String: UInt64]) -> String {
        if counts.isEmpty { return "-" }
        return counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    private static func rate(_ now: UInt64, _ before: UInt64?, _ seconds: Double) -> String {
        guard seconds > 0 else { return "0 B" }
        return bytes(Double(now - min(before ?? 0, now)) / seconds)
    }

    /// `512 B`, `1.5 KB`, `20 MB`: at most three digits before the point, one behind it where there is one before.
    static func bytes(_ count: Double) -> String {
        var value = count
        for unit in ["B", "KB", "MB"] {
            if value < 999.5 {
                let tenths = (value * 10).rounded()
                let isWhole = unit == "B" || tenths >= 100
                return isWhole ? "\(Int(value.rounded())) \(unit)" : "\(Int(tenths) / 10).\(Int(tenths) % 10) \(unit)"
            }
            value /= 1000
        }
        return "\(Int(value.rounded())) GB"
    }
}
