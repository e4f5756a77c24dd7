import CMeasures
import Glibc

/// Measures the registry alone: updates, registration, pages. Prints a table, and leaves with 1 where a bar was missed.
///
///     Registry [--quick]
@main
struct Registry {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.allSatisfy({ $0 == "--quick" }) else {
            print("usage: Registry [--quick]")
            exit(2)
        }
        let isQuick = !arguments.isEmpty
        let rounds = isQuick ? 20 : 100
        var table = Table(machine: machine(), settings: "medians of processor time, pages over \(rounds) rounds")
        try Updates(rounds: isQuick ? 5 : 15, operations: isQuick ? 2_000_000 : 10_000_000).measure(into: &table)
        let pages = Pages(rounds: rounds, shardCount: 2)
        // Largest first: its memory is that of a process that had nothing before.
        try pages.measureRoutes(series: 150_000, bar: 10, gzipBar: nil, into: &table)
        try pages.measureRoutes(series: 10_000, bar: 0.5, gzipBar: 5, into: &table)
        try pages.measureCounters(series: 10_000, bar: 0.5, into: &table)
        try Pages(rounds: rounds, shardCount: 16).measureRoutes(series: 10_000, bar: nil, gzipBar: nil, into: &table)
        if table.missed > 0 { exit(1) }
    }
}

/// Allocations of this thread so far.
func allocations() -> UInt64 {
    weir_allocations()
}
