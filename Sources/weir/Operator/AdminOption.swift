import CommandInterface
import WeirProxy

/// The options of every command that asks a running process at its admin socket.
struct AdminOption {
    static let options = [
        ConfigurationOption.option,
        CommandOption(
            "socket", value: .file, "The admin socket, in place of the one that the configuration file names."),
    ]
    static let json = CommandOption("json", "Print the answer as JSON.")

    let client: AdminClient

    /// The socket that the arguments or the file name.
    init(_ arguments: Arguments) throws(Failure) {
        if let text = arguments["socket"] {
            guard let client = AdminClient(path: text) else {
                Console.failure("--socket: expected the path of a Unix socket, of at most 107 bytes")
                throw Failure()
            }
            self.client = client
            return
        }
        let options = ConfigurationOption(arguments)
        guard let path = try options.load(tellsWarnings: false).configuration.admin?.listen else {
            Console.failure("\(AdminClient.Failure.notConfigured(options.path))")
            throw Failure()
        }
        client = AdminClient(socket: path)
    }

    /// The body of an answer. A failure is printed.
    func answer(_ ask: (AdminClient) throws(AdminClient.Failure) -> String) throws(Failure) -> String {
        do throws(AdminClient.Failure) {
            return try ask(client)
        } catch {
            Console.failure("\(error)")
            throw Failure()
        }
    }
}

/// A table for a terminal of 80 columns: the first column of text gives way where a line would be longer.
struct TextTable {
    static let width = 80

    let headings: [String]
    /// Whether a column is aligned to the right.
    let isNumber: [Bool]
    var rows: [[String]] = []

    var lines: [String] {
        var widths = headings.indices.map { column in
            max(headings[column].count, rows.map { $0[column].count }.max() ?? 0)
        }
        let total = widths.reduce(0, +) + 2 * (widths.count - 1)
        // The widest columns of text give way first.
        var excess = total - Self.width
        while excess > 0 {
            let texts = widths.indices.filter { !isNumber[$0] && widths[$0] > max(8, headings[$0].count) }
            guard let widest = texts.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return ([headings] + rows).map { line($0, widths) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = cells.indices.map { column in
            var cell = cells[column]
            if cell.count > widths[column] { cell = String(cell.prefix(widths[column] - 1)) + "…" }
            let padding = String(repeating: " ", count: widths[column] - cell.count)
            return isNumber[column] ? padding + cell : cell + padding
        }
        var text = padded.joined(separator: "  ")
        while text.last == " " { text.removeLast() }
        return text
    }
}

/// Numbers and times as people read them.
enum Readable {
    /// `512 B`, `1.5 kB`, `20 MB`.
    static func bytes(_ count: Double) -> String {
        var value = max(0, count)
        var unit = 0
        let units = ["B", "kB", "MB", "GB", "TB", "PB"]
        while value >= 999.5, unit + 1 < units.count {
            value /= 1000
            unit += 1
        }
        let tenths = Int((value * 10).rounded())
        let text = unit == 0 || tenths >= 1000 ? "\(Int(value.rounded()))" : "\(tenths / 10).\(tenths % 10)"
        return "\(text) \(units[unit])"
    }

    /// `5s`, `12m`, `3h`, `4d`.
    static func time(_ seconds: Int) -> String {
        switch seconds {
        case ..<100: "\(seconds)s"
        case ..<6000: "\(seconds / 60)m"
        case ..<172_800: "\(seconds / 3600)h"
        default: "\(seconds / 86_400)d"
        }
    }
}
