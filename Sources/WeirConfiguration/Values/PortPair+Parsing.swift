import NetworkTypes

extension PortPair {
    /// Reads `2222:22`, or `53` for both.
    ///
    /// The text decides, never the type that YAML gives it: YAML 1.1 calls `2222:22` a base-60 integer (133,342).
    init(configured text: String) throws(ValueError) {
        do throws(ParseError) {
            try self.init(parsing: text)
        } catch {
            switch error {
            case .malformed:
                throw ValueError(
                    "expected `LISTEN:TARGET` such as `2222:22`, or one port for both, found \(quoted(text))")
            case .missingHalf:
                throw ValueError("expected a port on both sides of `:`, such as `2222:22`, found \(quoted(text))")
            case .malformedPort(let digits, let fault): throw ValueError(port: digits, fault)
            }
        }
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
