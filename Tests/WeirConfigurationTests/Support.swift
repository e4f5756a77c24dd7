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

/// A small generator with a seed, so that a failing run can be repeated (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
