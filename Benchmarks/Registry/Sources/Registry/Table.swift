import Glibc

/// Prints lines of one Markdown table as they are measured, and counts what missed its bar.
struct Table {
    private(set) var missed = 0

    init(machine: String, settings: String) {
        print("Machine: \(machine); \(settings)\n")
        print("| what | median | best | bar | holds | remark |\n|---|---:|---:|---:|---|---|")
    }

    /// Adds a line. `bar` is the most that the value may be; nil where there is none.
    mutating func add(
        _ what: String, _ value: Double, _ unit: String = "", best: Double? = nil, bar: Double? = nil,
        remark: String = ""
    ) {
        let holds = bar.map { value <= $0 }
        if holds == false { missed += 1 }
        let cells = [
            what, quantity(value, unit), best.map { quantity($0, unit) } ?? "", bar.map { quantity($0, unit) } ?? "",
            holds.map { $0 ? "yes" : "**no**" } ?? "", remark,
        ]
        print("| \(cells.joined(separator: " | ")) |")
        fflush(nil)
    }

    /// Adds a line of time.
    mutating func add(_ what: String, _ cost: Cost, _ unit: String, bar: Double? = nil, remark: String = "") {
        add(what, cost.median, unit, best: cost.best, bar: bar, remark: remark)
    }

    private func quantity(_ value: Double, _ unit: String) -> String {
        unit.isEmpty ? short(value) : "\(short(value)) \(unit)"
    }
}

/// Three significant digits.
func short(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
    var digits = 2
    var rest = abs(value)
    while rest >= 10, digits > 0 {
        rest /= 10
        digits -= 1
    }
    var factor = 1.0
    for _ in 0..<digits { factor *= 10 }
    let rounded = (value * factor).rounded() / factor
    return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
}
