import NetworkTypes

extension PortMapping {
    /// Reads `2222:22`, `53` for both, or ranges: `30000-30099:40000-40099`, `30000-30099:22`.
    ///
    /// The text decides, never the type that YAML gives it: YAML 1.1 calls `2222:22` a base-60 integer (133,342).
    init(configured text: String) throws(ValueError) {
        do throws(ParseError) {
            try self.init(parsing: text)
        } catch {
            if let explained = Self.explained(text) { throw explained }
            switch error {
            case .malformed:
                throw ValueError(
                    "expected `LISTEN:TARGET` such as `2222:22`, or one port for both, found \(quoted(text))")
            case .missingHalf:
                throw ValueError("expected a port on both sides of `:`, such as `2222:22`, found \(quoted(text))")
            case .malformedPort(let digits, let fault): throw ValueError(port: digits, fault)
            case .reversed(let first, let last):
                var suggestion = text
                if let range = text.firstPlace(ofText: "\(first)-\(last)") {
                    suggestion.replaceSubrange(range, with: "\(last)-\(first)")
                }
                throw ValueError(
                    "expected the lower port of a range first, found \(quoted(text))", suggestion: suggestion)
            case .differentLengths(let listen, let target):
                throw ValueError(
                    "expected as many ports on both sides of `:`, or one target, found \(listen) and \(target) in "
                        + quoted(text))
            }
        }
    }
}

extension PortMapping {
    /// An address before the ports, as Docker's `127.0.0.1:8080:80` has it, or a transport behind them.
    private static func explained(_ text: String) -> ValueError? {
        let ports = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if ports.count == 2, (try? PortMapping(parsing: String(ports[0]))) != nil {
            return ValueError(
                "found `/` in \(quoted(text)): the transport is the route's `scheme`", suggestion: String(ports[0]))
        }
        // Behind the address stand one or two ports: the shorter rest is tried last.
        let colons = text.indices.filter { text[$0] == ":" }
        for colon in colons.suffix(2) {
            let (address, rest) = (String(text[..<colon]), String(text[text.index(after: colon)...]))
            if (try? parseBindAddress(address)) != nil, (try? PortMapping(parsing: rest)) != nil {
                return ValueError(
                    "found an address in \(quoted(text)): the one to listen on is `bind`, the one to dial `host`",
                    suggestion: rest)
            }
        }
        return nil
    }
}

/// Reads a port of a configuration: 0 is none, because nothing in a file can ask for any free port.
func parsePort(_ digits: ArraySlice<UInt8>) throws(ValueError) -> UInt16 {
    let text = String(decoding: digits, as: UTF8.self)
    let port: UInt16
    do throws(PortNumber.ParseError) {
        port = try PortNumber.parse(digits)
    } catch {
        throw ValueError(port: text, error)
    }
    guard port > 0 else { throw ValueError(port: text, .malformed) }
    return port
}

extension ValueError {
    /// Why a text is no port of a configuration.
    fileprivate init(port text: String, _ fault: PortNumber.ParseError) {
        switch fault {
        case .leadingZeros(let meant) where meant > 0:
            self.init("expected a port without leading zeros, found \(quoted(text))", suggestion: "\(meant)")
        case .leadingZeros, .malformed: self.init("expected a port from 1 to 65535, found \(quoted(text))")
        }
    }
}
