import Testing

@testable import WeirConfiguration

/// Parses text under the name `weir.yml` and returns what came of it.
func load(_ text: String, environment: [String: String] = [:]) throws(ConfigurationErrors) -> Configuration {
    try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: environment).configuration
}

/// The printed errors of a text; empty if it is valid.
func errors(_ text: String, environment: [String: String] = [:]) -> [String] {
    errors(bytes: Array(text.utf8), environment: environment)
}

/// The printed errors of a file's bytes; empty if it is valid.
func errors(bytes: [UInt8], environment: [String: String] = [:]) -> [String] {
    do {
        _ = try Configuration.parse(bytes: bytes, file: "weir.yml", environment: environment)
        return []
    } catch {
        return error.diagnostics.map(\.description)
    }
}

/// One route `a` on 8080 with these lines within.
func route(_ lines: String..., scheme: String = "tcp") -> String {
    let body = lines.flatMap { $0.split(separator: "\n") }.map { "    \($0)\n" }.joined()
    return "routes:\n  a:\n    scheme: \(scheme)\n    port: 8080:80\n" + body
}

/// The message with which a parser of a single value refuses its input; nil if it takes it.
func refusal<Value>(_ parse: () throws(ValueError) -> Value) -> String? {
    do {
        _ = try parse()
        return nil
    } catch {
        return error.message
    }
}
