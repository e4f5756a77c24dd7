import NetworkTypes

// What the sockets of a route are given.

extension Notation where Value == DialSource {
    /// One address of this machine, or one of each family.
    static var dialSource: Notation {
        Notation(
            .anyOf([.anyText, .list(of: .anyText, 1...2)]), examples: ["192.0.2.10", "[192.0.2.11, \"2001:db8::11\"]"],
            text: { source in
                let texts = source.addresses.map { flowText($0.description) }
                return texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
            }
        ) { node, key, context in
            guard let items = context.diagnostics.oneOrMore(node, key, atMost: 2, "addresses") else { return nil }
            let addresses = items.map { item in
                context.diagnostics.parsed(item, key, expected: "an IP address of this machine", parseSource)
            }
            guard !addresses.contains(nil) else { return nil }
            if let source = DialSource(addresses.compactMap(\.self)) { return source }
            context.diagnostics.error(
                node.origin, "`\(key)`: expected one IPv4 and one IPv6 address at most, found two of one family")
            return nil
        }
    }
}

/// A source of dials, as it is written.
private func parseSource(_ text: String) throws(ValueError) -> ScopedAddress {
    let bytes = Array(text.utf8)[...]
    let isBracketed = bytes.first == UInt8(ascii: "[") && bytes.last == UInt8(ascii: "]")
    if let address = addressBeforePort(text) {
        throw ValueError("found a port in \(quoted(text)): the kernel chooses the port of a dial", suggestion: address)
    }
    let address = try WrittenAddress(parsing: isBracketed ? bytes.dropFirst().dropLast() : bytes).checked()
    if address.ip.isWildcard {
        throw ValueError("expected an IP address of this machine, found \(quoted(text)), which is every address")
    }
    return address
}

extension Notation where Value == DSCP {
    /// A code point, by its number or its name.
    static var dscp: Notation {
        let names = DSCP.allNames
        return Notation(
            .anyOf([.number(in: 0...63), .words(names)]), examples: ["ef", "12"], text: \.description
        ) { node, key, context in
            let expected = "a number from 0 to 63, or a name such as `ef`, `cs1` or `af41`"
            return context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                let lower = text.lowercased()
                if let named = DSCP(named: lower) { return named }
                if !text.isEmpty, text.utf8.allSatisfy(isDigit) {
                    if let number = Int(text).flatMap(DSCP.init) { return number }
                    throw ValueError("expected \(expected), found \(quoted(text))")
                }
                throw ValueError(
                    "expected \(expected), found \(quoted(text))", suggestion: nearMiss(of: lower, among: names))
            }
        }
    }
}
