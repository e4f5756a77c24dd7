import NetworkTypes

extension UnixSocketPath {
    /// Reads `unix:/run/db.sock`, or the abstract name `unix:@db` where one may stand there.
    init(configured text: String, isAbstractAllowed: Bool = true, example: String) throws(ValueError) {
        let path = String(text.dropFirst(Self.prefix.count))
        let forms =
            "an absolute path such as `\(example)`" + (isAbstractAllowed ? ", or an abstract name `unix:@name`" : "")
        if path.hasPrefix("//") {
            throw ValueError("expected \(forms), found \(quoted(text))", suggestion: "unix:/\(path.drop { $0 == "/" })")
        }
        let isGood =
            path.hasPrefix("@") ? isAbstractAllowed && path != "@" : path.hasPrefix("/") && !path.hasSuffix("/")
        guard isGood, !path.utf8.contains(0) else { throw ValueError("expected \(forms), found \(quoted(text))") }
        guard let read = UnixSocketPath(path) else {
            throw ValueError("expected a path of at most \(Self.maxLength) bytes, found \(path.utf8.count)")
        }
        self = read
    }
}
