import Foundation

/// A folder of its own for one fixture, removed with everything in it at the end.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init(_ purpose: String = "test") throws {
        var template = Array((NSTemporaryDirectory() + "/weir-\(purpose)-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemFailure("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    package func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file and returns its path.
    @discardableResult
    package func write(_ name: String, _ text: String) throws -> String {
        try write(name, Array(text.utf8))
    }

    @discardableResult
    package func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }

    /// Replaces a file as editors do: a new file, renamed over the old one.
    package func replace(_ name: String, _ text: String) throws {
        try write(name + ".new", text)
        guard rename(file(name + ".new"), file(name)) == 0 else { throw SystemFailure("rename") }
    }
}

/// The whole file as text; empty while it does not exist.
///
/// Foundation stops after the first page of a file whose length the kernel does not know, such as /proc/net/tcp.
package func contents(of path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while let count = try? checked("read", { read(descriptor, &buffer, buffer.count) }), count > 0 {
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}
