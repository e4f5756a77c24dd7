/// The most bytes that one expanded value may have. `${A}${A}…` must not fill the memory.
private let maxExpansion = 65_536

/// Replaces `${NAME}` and `${NAME:-default}` in a value from the environment.
///
/// This runs on scalars after YAML was parsed, so that no variable can add structure. A default is used when the
/// variable is unset or empty, as in shells and compose files. `$${` stands for a literal `${`; every other `$` is
/// itself. What a variable holds is not expanded again.
func expandEnvironment(_ text: String, environment: [String: String]) throws(ValueError) -> String {
    let bytes = Array(text.utf8)
    let dollar = UInt8(ascii: "$")
    let open = UInt8(ascii: "{")
    guard bytes.contains(dollar) else { return text }
    var output: [UInt8] = []
    var index = 0
    while index < bytes.count {
        let rest = bytes[index...]
        if rest.starts(with: [dollar, dollar, open]) {
            output += [dollar, open]
            index += 3
        } else if rest.starts(with: [dollar, open]) {
            guard let close = rest.firstIndex(of: UInt8(ascii: "}")) else {
                throw ValueError("found `${` without its `}` in \(quoted(text)); `$${` stands for a literal `${`")
            }
            output += try expansion(of: bytes[(index + 2)..<close], within: text, environment: environment).utf8
            index = close + 1
        } else {
            output.append(bytes[index])
            index += 1
        }
        if output.count > maxExpansion {
            throw ValueError("\(quoted(text)) expands to more than \(maxExpansion) bytes")
        }
    }
    return String(decoding: output, as: UTF8.self)
}

/// Resolves what stands between the braces.
private func expansion(
    of reference: ArraySlice<UInt8>, within text: String, environment: [String: String]
) throws(ValueError) -> String {
    let expected = "expected `${NAME}` or `${NAME:-default}`"
    let nameBytes = reference.prefix { isAlphanumeric($0) || $0 == UInt8(ascii: "_") }
    guard let first = nameBytes.first, !isDigit(first) else {
        throw ValueError("\(expected), found \(quoted(text)); `$${` stands for a literal `${`")
    }
    let name = String(decoding: nameBytes, as: UTF8.self)
    let tail = reference[nameBytes.endIndex...]
    if tail.isEmpty {
        guard let value = environment[name] else {
            throw ValueError(
                "the environment variable `\(name)` is not set, and \(quoted(text)) gives no default",
                suggestion: nearMiss(of: name, among: environment.keys).map { "${\($0)}" })
        }
        return value
    }
    guard tail.starts(with: [UInt8(ascii: ":"), UInt8(ascii: "-")]) else {
        throw ValueError("\(expected), found \(quoted(text)); `$${` stands for a literal `${`")
    }
    let fallback = tail.dropFirst(2)
    guard !fallback.starts(with: [UInt8(ascii: "$"), UInt8(ascii: "{")]) else {
        throw ValueError("\(expected), found one reference within another in \(quoted(text))")
    }
    if let value = environment[name], !value.isEmpty { return value }
    return String(decoding: fallback, as: UTF8.self)
}
