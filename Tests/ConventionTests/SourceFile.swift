import Foundation
import Testing

/// One Swift file of the checkout, as lines.
struct SourceFile: Sendable {
    /// Relative to the checkout, for example `Sources/LinuxIO/Socket.swift`.
    var path: String
    var lines: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.components(separatedBy: "\n")
        if lines.last == "" { lines.removeLast() }
    }

    /// `LinuxIO` for `Sources/LinuxIO/…`.
    var module: String {
        let parts = path.split(separator: "/")
        return parts.count > 1 ? String(parts[1]) : ""
    }

    var isSource: Bool { path.hasPrefix("Sources/") }

    /// A line without its comment and the contents of string literals, so that only code is judged.
    static func code(of line: String) -> String {
        var result = ""
        var inString = false
        var previous: Character = " "
        for (index, character) in line.enumerated() {
            if character == "\"", previous != "\\" { inString.toggle() }
            if !inString {
                let position = line.index(line.startIndex, offsetBy: index)
                if line[position...].hasPrefix("//") { break }
                result.append(character)
            }
            previous = previous == "\\" && character == "\\" ? " " : character
        }
        return result
    }

    /// The modules that the file imports, with the line of each.
    var imports: [(module: String, line: Int)] {
        lines.enumerated().compactMap { index, line in
            guard line.contains("import ") else { return nil }
            let words = Self.code(of: line).split { $0 == " " || $0 == "\t" }.map(String.init)
            guard let keyword = words.firstIndex(of: "import") else { return nil }
            // Attributes and access levels may stand before it, and a kind of declaration behind it.
            let modifiers: Set = ["public", "package", "internal", "fileprivate", "private", "@testable"]
            guard words[..<keyword].allSatisfy({ $0.hasPrefix("@") || modifiers.contains($0) }) else { return nil }
            let kinds: Set = ["struct", "class", "enum", "func", "protocol", "typealias", "var", "let"]
            let name = words[(keyword + 1)...].first { !kinds.contains($0) }
            return name.map { ($0.split(separator: ".").first.map(String.init) ?? $0, index + 1) }
        }
    }
}

/// The checkout that these tests were compiled from.
enum Checkout {
    static let root: String = {
        // Tests/ConventionTests/SourceFile.swift
        var url = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url.path
    }()

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: root + "/" + path, encoding: .utf8)
    }

    /// Every Swift file under the given folder.
    static func swiftFiles(under folder: String) throws -> [SourceFile] {
        guard let found = FileManager.default.enumerator(atPath: root + "/" + folder) else { return [] }
        return try found.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted().map { name in
            SourceFile(path: "\(folder)/\(name)", text: try text("\(folder)/\(name)"))
        }
    }

    /// Every text file below the checkout whose path is accepted; build results and hidden folders are left out.
    static func files(where accepts: (String) -> Bool) throws -> [SourceFile] {
        let url = URL(fileURLWithPath: root)
        let found = try #require(
            FileManager.default.enumerator(at: url, includingPropertiesForKeys: nil, options: [.skipsHiddenFiles]))
        let paths = found.compactMap { ($0 as? URL)?.resolvingSymlinksInPath().path }.filter {
            !$0.hasPrefix(root + "/build/")
        }
        return try paths.map { String($0.dropFirst(root.count + 1)) }.filter(accepts).sorted().map { path in
            SourceFile(path: path, text: try text(path))
        }
    }
}
